"""Classical one-class models on features of the whole image."""
