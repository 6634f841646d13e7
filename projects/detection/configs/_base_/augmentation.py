"""Resizing in training: one size, many scales as in DETR and Sparse R-CNN, or the large images of DINO on H and G.

Of many scales, half of the images are enlarged or shrunk, cropped to 384-600 pixels, and resized again, so that objects
also appear large; all end with a short side of 480 to 800 pixels.
"""

short_sides = [(side, 1333) for side in range(480, 801, 32)]
short_side = dict(type="RandomChoiceResize", scales=short_sides, keep_ratio=True)
crop = dict(type="RandomCrop", crop_type="absolute_range", crop_size=(384, 600))


def crop_policy(longest, allow_empty):
    before = dict(type="RandomChoiceResize", scales=[(side, longest) for side in (400, 500, 600)], keep_ratio=True)
    return [before, dict(**crop, allow_negative_crop=allow_empty), short_side]


one_scale = dict(type="Resize", scale=(1333, 800), keep_ratio=True)
multi_scale = dict(type="RandomChoice", transforms=[[short_side], crop_policy(1333, True)])
multi_scale_dino = dict(type="RandomChoice", transforms=[[short_side], crop_policy(4200, False)])
multi_scale_large = dict(type="RandomResize", scale=[(2000, 600), (2000, 1200)], keep_ratio=True)
one_scale_large = dict(type="Resize", scale=(2000, 1000), keep_ratio=True)
