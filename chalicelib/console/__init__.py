"""The web page's place: static files and their route helpers. The page itself comes with a later issue."""
