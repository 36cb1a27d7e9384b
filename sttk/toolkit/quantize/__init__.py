"""int8: one calibration, kept as a fake-quantised torch net that every target is exported from.

That net is the reference, too: it separates "the export is right" (the runtime's int8 net is the
fake-quantised one) from "the quantised net is good" (it paints the same style).
"""
