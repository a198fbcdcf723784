"""Drift of prediction histograms: bins that two histograms share, indices over them, and what may be concluded. Pure."""
