"""GANomaly's networks: encoders and a decoder as in DCGAN, and the discriminator."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

_MOST_CHANNELS = 512
"""As many as the authors' networks have at 64 pixels."""


class GanomalyNetwork(nn.Module):
    """Encoder, decoder and second encoder (Akcay et al., 2018); for 3 x 128 x 128, 32 channels and 100 latent numbers:

    ============================================  ==================
    convolution 4 x 4, stride 2                   32 x 64 x 64
    convolution 4 x 4, stride 2                   64 x 32 x 32
    convolution 4 x 4, stride 2                   128 x 16 x 16
    convolution 4 x 4, stride 2                   256 x 8 x 8
    convolution 4 x 4, stride 2                   512 x 4 x 4
    convolution 4 x 4: latent numbers             100 x 1 x 1
    transposed convolution 4 x 4                  512 x 4 x 4
    transposed convolution 4 x 4, stride 2        256 x 8 x 8
    transposed convolution 4 x 4, stride 2        128 x 16 x 16
    transposed convolution 4 x 4, stride 2        64 x 32 x 32
    transposed convolution 4 x 4, stride 2        32 x 64 x 64
    transposed convolution 4 x 4, stride 2        3 x 128 x 128
    ============================================  ==================

    and the encoder's six once more, with weights of their own. BatchNorm between, LeakyReLU in encoders, ReLU in the
    decoder, which ends in a hyperbolic tangent. 10,823,872 parameters.
    """

    def __init__(self, size: int, width: int, latent: int) -> None:
        super().__init__()
        channels, grid = _pyramid(size, width)
        self.encoder = nn.Sequential(*_halving(channels), nn.Conv2d(channels[-1], latent, grid, bias=False))
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, channels[-1], grid, bias=False),
            nn.BatchNorm2d(channels[-1]),
            nn.ReLU(inplace=True),
        ]
        for inputs, outputs in pairwise(channels[:0:-1]):
            layers += [
                nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.decoder = nn.Sequential(
            *layers, nn.ConvTranspose2d(channels[1], 3, 4, 2, 1, bias=False), nn.Tanh()
        )
        self.second = nn.Sequential(*_halving(channels), nn.Conv2d(channels[-1], latent, grid, bias=False))
        self.apply(_as_in_dcgan)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction, latent numbers (N x latent), and those of the reconstruction, of images in [0, 1]."""
        latent = self.encoder(2 * images - 1)
        drawn = self.decoder(latent)
        return 0.5 * (drawn + 1), latent.flatten(1), self.second(drawn).flatten(1)


class Discriminator(nn.Module):
    """Real or drawn: the encoder's convolutions, and one more that decides."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        channels, grid = _pyramid(size, width)
        self.features = nn.Sequential(*_halving(channels))
        self.decision = nn.Conv2d(channels[-1], 1, grid, bias=False)
        self.apply(_as_in_dcgan)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen before the decision (N x C x h x w), and the logit of being real (N), of images in [0, 1]."""
        seen = self.features(2 * images - 1)
        return seen, self.decision(seen).flatten()


def _pyramid(size: int, width: int) -> tuple[list[int], int]:
    """Channels from the image on, each grid half of the one before, and the side of the last grid: 4, or 3 to 63."""
    channels, grid = [3, width], size // 2
    while grid > 4 and grid % 2 == 0:
        channels.append(max(width, min(2 * channels[-1], _MOST_CHANNELS)))
        grid //= 2
    return channels, grid


def _halving(channels: list[int]) -> list[nn.Module]:
    """Convolutions of stride 2; the first without BatchNorm, as in DCGAN."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(channels)):
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
        if number:
            layers.append(nn.BatchNorm2d(outputs))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return layers


def _as_in_dcgan(layer: nn.Module) -> None:
    """Weights as Radford et al., "Unsupervised Representation Learning with DCGAN", ICLR 2016, begin with them."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
