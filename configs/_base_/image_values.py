"""Values of the images that backbones were pretrained on: ImageNet's, and those of ResNets in caffe style."""

imagenet_values = dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), to_rgb=True)
caffe_values = dict(mean=(103.53, 116.28, 123.675), std=(1.0, 1.0, 1.0), to_rgb=False)
