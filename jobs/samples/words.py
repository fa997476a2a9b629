"""Words of the generated shop: its catalogue tree, names, places, browsers. All of it is invented."""

from typing import Final

TREE: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Home": {
        "Kitchen": ("Mug", "Teapot", "Cutting Board", "Apron"),
        "Lighting": ("Lantern", "Desk Lamp", "Fairy Lights"),
        "Textiles": ("Cushion", "Blanket", "Curtain"),
    },
    "Garden": {
        "Plants": ("Herb Kit", "Seed Box", "Bonsai"),
        "Tools": ("Trowel", "Watering Can", "Pruner"),
        "Outdoor": ("Hammock", "Bird House", "Parasol"),
    },
    "Fashion": {
        "Bags": ("Tote", "Backpack", "Wallet"),
        "Shoes": ("Sneaker", "Sandal", "Slipper"),
        "Jewellery": ("Ring", "Necklace", "Brooch"),
    },
    "Electronics": {
        "Audio": ("Headphones", "Speaker", "Radio"),
        "Phones": ("Case", "Charger", "Holder"),
        "Computing": ("Keyboard", "Mouse", "USB Hub"),
    },
    "Toys": {
        "Games": ("Puzzle", "Card Game", "Board Game"),
        "Dolls": ("Teddy", "Puppet", "Rag Doll"),
        "Craft": ("Paint Set", "Clay Kit", "Bead Box"),
    },
    "Stationery": {
        "Paper": ("Notebook", "Gift Wrap", "Card"),
        "Writing": ("Fountain Pen", "Pencil Set", "Marker"),
        "Desk": ("Organiser", "Stapler", "Calendar"),
    },
}
SERVICES: Final = (
    ("POSTAGE", "Postage", "Services/Delivery", 4.9),
    ("EXPRESS", "Express delivery", "Services/Delivery", 9.9),
    ("GIFTWRAP", "Gift wrapping", "Services/Extras", 2.5),
    ("VOUCHER10", "Voucher", "Services/Vouchers", 10.0),
    ("CARDFEE", "Card fee", "Services/Fees", 0.75),
)
COLOURS: Final = ("Red", "Blue", "Green", "White", "Black", "Golden", "Grey", "Pink", "Striped", "Dotted")
STYLES: Final = ("Vintage", "Modern", "Small", "Large", "Classic", "Folding", "Soft", "Sturdy", "Rustic", "Slim")

FIRST_NAMES: Final = (
    "Ada", "Bela", "Cora", "Dario", "Edda", "Finn", "Gisa", "Hugo", "Ilse", "Jaro", "Kaja", "Lior", "Mira", "Nilo",
    "Oda", "Pia", "Quin", "Runa", "Silo", "Tova", "Ugo", "Vera", "Wim", "Xeni", "Yara", "Zeno",
)  # fmt: skip
LAST_NAMES: Final = (
    "Ambervale", "Birkenfeld", "Cloudsworth", "Dunmarrow", "Elmsand", "Fernhollow", "Glimmer", "Heatherby", "Inkwell",
    "Juniper", "Kestrel", "Lindgarden", "Moorwick", "Nettleship", "Oakhaven", "Pebblestone", "Quillfeather",
    "Rosenthorn", "Silverbrook", "Thistlewood", "Underhill", "Violetfield", "Willowmere", "Yarrowdale", "Zephyrson",
)  # fmt: skip
STREETS: Final = ("Invented Street", "Sample Road", "Example Lane", "Model Avenue", "Fiction Square", "Demo Way")
CITIES: Final = {
    "DE": "Musterstadt",
    "FR": "Villexemple",
    "GB": "Sampleton",
    "SE": "Exempelby",
    "US": "Springfield",
    "NL": "Voorbeeldam",
    "ES": "Villaejemplo",
    "IT": "Esempia",
    "PL": "Przykladowo",
    "JP": "Mihonshi",
    "CN": "Shilicheng",
}
COUNTRIES: Final = tuple(CITIES)
COUNTRY_SHARES: Final = (0.24, 0.16, 0.18, 0.06, 0.1, 0.07, 0.05, 0.05, 0.04, 0.03, 0.02)
# Numbers that regulators keep free for fiction: BNetzA, ARCEP, Ofcom, PTS, NANPA.
PHONES: Final = {
    "DE": "+49 30 23125{n:03d}",
    "FR": "+33 6 39 98 0{a} {b:02d}",
    "GB": "+44 7700 900{n:03d}",
    "SE": "+46 70 174 06 {s:02d}",
}
OTHER_PHONE: Final = "+1 202-555-01{b:02d}"

BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 13_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 Version/17.2 Mobile Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 17_2 like Mac OS X) AppleWebKit/605.1.15 Version/17.2 Safari/604.1",
)
BROWSER_SHARES: Final = (0.3, 0.12, 0.06, 0.24, 0.22, 0.06)
BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "python-requests/2.31.0",
    "curl/8.5.0",
)
APPS: Final = tuple(f"app-{n}" for n in range(1, 13))
ERRORS: Final = ("E404", "E408", "E500", "E503")
CAMPAIGNS: Final = ("", "?utm_source=newsletter", "?utm_source=adnet-eu&utm_campaign=spring", "?ref=home")
REASONS: Final = ("damaged", "wrong size", "not as described", "changed my mind", "arrived late")
