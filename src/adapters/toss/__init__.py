"""Toss Payments, core API: https://docs.tosspayments.com/reference"""
