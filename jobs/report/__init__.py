"""The report: published tables as pages that open from disk, for marketing.

Pages hold published tables only, need no network, and work in any browser. Each table that is shown has a module of its
own, which reads it and says what the page needs of it.
"""
