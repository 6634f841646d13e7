"""Parts that the OpenLane-V2 metrics share: frames, distances, matching, topology, F-score."""
