"""Measurements of the product and of its peers: ``python -m benchmarks NAME`` from a checkout.

Each one prints a Markdown table and writes ``results/NAME.json`` with the machine, the versions and the conditions, and
plots beside it. What README.md claims comes from there.
"""
