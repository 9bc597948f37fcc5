"""A development stand-in for Toss Payments: its API and a page to pay or decline. No money moves."""
