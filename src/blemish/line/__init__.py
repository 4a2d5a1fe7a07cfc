"""The line: the artifact `NAME.blemish`, its runtime, and what a verdict needs; no torch, no pandas."""
