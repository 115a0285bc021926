"""`carrier-health` whose memory of messages holds nothing, as the peers have none. Arguments: its own."""

import numpy as np

from streams.dedupe import SeenIds

SeenIds.see = lambda self, fps, at_s, clock_s, stage: np.zeros(len(fps), np.uint16)

if __name__ == "__main__":
    from alerts.cli import main

    main()
