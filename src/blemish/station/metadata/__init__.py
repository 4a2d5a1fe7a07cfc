"""What is known of a part besides its photograph: from names, codes, messages and the clock."""
