"""Structured reports and key object selections, and reports read back."""
