"""Occ3D-nuScenes: 18 classes in voxels of 0.4 m around the vehicle, in its ego frame; labels under `gts`."""

occupancy_grid = dict(bounds=(-40.0, -40.0, -1.0, 40.0, 40.0, 5.4), shape=(200, 200, 16))

# Voxels of each class in the training set, others to free; quoted from RenderOcc (github.com/pmj110119/RenderOcc).
occupancy_counts = (
    1163161, 2309034, 188743, 2997643, 20317180, 852476, 243808, 2457947, 497017,
    2731022, 7224789, 214411435, 5565043, 63191967, 76098082, 128860031, 141625221, 2307405309,
)  # fmt: skip
