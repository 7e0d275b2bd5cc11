"""What runs in place of AWS's built-in algorithm images: programs of their own, which know nothing of the server."""
