"""Tables that people look at: best-sellers and recommendations, computed from the pseudonymous lake."""
