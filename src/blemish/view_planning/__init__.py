"""Learning a view from good photographs: its scale, its tiles, how parts are brought to their place."""
