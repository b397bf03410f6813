"""Numbers, plots and texts made from a history and a timeline; nothing here judges."""
