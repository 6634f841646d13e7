"""OpenLane-V2: lane topology on Argoverse 2 (subset A) and nuScenes (subset B)."""
