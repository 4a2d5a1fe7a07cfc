"""Where a station's photographs come from: folders, cameras, streams, programs; each source in a file of its own."""
