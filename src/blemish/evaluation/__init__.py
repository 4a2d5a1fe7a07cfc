"""Metrics, evaluation of an inspector on labelled images, and its report."""
