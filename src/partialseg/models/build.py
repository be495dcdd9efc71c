"""Networks by the name of their architecture in params.yaml."""

from torch import nn

ARCHITECTURES = ("unet", "unetplusplus")


def build_network(
    architecture: str,
    in_channels: int,
    num_classes: int,
    base_channels: int,
    deep_supervision: bool = False,
) -> nn.Module:
    """Build an untrained network; deep_supervision concerns UNet++ alone.

    Raises:
        ValueError: the architecture is unknown.
    """
    # Imported only for its architecture: dvc.yaml lists the module of that one alone, so that
    # editing one network does not train the other again.
    match architecture:
        case "unet":
            from partialseg.models.unet import UNet

            return UNet(in_channels, num_classes, base_channels)
        case "unetplusplus":
            from partialseg.models.unetplusplus import UNetPlusPlus

            return UNetPlusPlus(in_channels, num_classes, base_channels, deep_supervision)
    known = ", ".join(ARCHITECTURES)
    raise ValueError(f"unknown architecture {architecture!r}; known: {known}")


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
