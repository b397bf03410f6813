"""``make bench``: what the harness costs, measured against doing the same without it. Each module measures one thing."""
