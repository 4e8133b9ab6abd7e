"""Benchmarks: `make bench`. Every figure stands beside a raw loop that does the same writes; only ratios are compared.

Nothing here gates on absolute time: machines differ, and the same machine differs from minute to minute.
"""
