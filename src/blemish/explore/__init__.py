"""Know the images before trusting a model: quality, duplicates, statistics, defects, insights."""
