"""Use cases as plain functions: a typed request in, a typed result out."""
