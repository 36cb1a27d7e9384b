"""Quantisation: one calibration gives a fake-quantised torch net that every target exports.

That net is also the reference. It separates "the export is right" (the runtime's int8 net equals
the fake-quantised one) from "the quantised net is good" (it paints the same style).
"""
