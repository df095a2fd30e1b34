"""What is known about every system: its paper, what our network keeps of it, what it mends, what nobody could find out.

Cards of bundles and docs/models.md are written from this. A network may be built and trained with other options than
its paper's: what depends on them is told as the published network's or as the default; cards add a network's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engines.bundle import PaperCard


@dataclass(frozen=True, slots=True)
class About:
    """One system, as the tables name it. ``least`` is the shortest side of a picture that it takes.

    ``title`` and ``where`` are empty for this project's own. ``licence``: terms of the published code, none of which is
    in this project. ``attachment``: where SKF's modules sit; ``guided_unknown``: what is unknown about that.
    ``in_video``: what to expect of networks that judge the whole picture, in mode full.
    """

    name: str
    note: str
    title: str = ""
    where: str = ""
    faithful: str = "Nothing to be faithful to: this project's own."
    repaired: str = "Nothing."
    unknown: str = "Nothing."
    licence: str = "Not applicable."
    least: int = 1
    attachment: str = ""
    guided_unknown: str = ""
    in_video: str = ""

    @property
    def paper(self) -> PaperCard | None:
        return PaperCard(self.title, self.where) if self.title else None


_UNPUBLISHED = (
    "The code of this guided form was never published: where the modules sit and how wide they are is this project's "
    "choice, made so that at the published size they add about as many parameters as the paper prints."
)
_NO_LICENCE = "The published code has no licence: all rights reserved."
_FLOW_REPAIRED = (
    "The published figures scale the output to the mean brightness of the ground truth; nothing here does unless its "
    "table says so. Inverse convolutions are computed once, before the export."
)
_WHOLE = (
    "In mode full {what} in each frame, and in each of its tiles, by itself: expect steps between tiles (--tile 0 "
    "takes frames whole, where memory allows) and brightness that may breathe from frame to frame."
)
_FLOW_UNKNOWN = "The scale of the initial weights of the encoder."

SYSTEMS: dict[str, About] = {
    "curve": About(
        name="curve",
        note="Predicts the tone-curve grid from the thumbnail, correcting SCI's illumination; every curve is monotone.",
        faithful="Nothing to be faithful to: this project's own. Its base is SCI's illumination network.",
    ),
    "sci": About(
        name="SCI",
        note="Inference half of SCI: the illumination network, 258 parameters, batch normalisation folded.",
        title="Toward Fast, Flexible, and Robust Low-Light Image Enhancement (SCI)",
        where="CVPR 2022, arXiv 2204.10137",
        faithful="Layers, shared weights, cascade, losses; the published checkpoints load.",
        repaired="The colour conversion in the smoothness loss mixed neighbouring pixels where it meant channels; "
        "codes are rounded, not cut off.",
        unknown="The published weights are not those behind the published tables; the paper's own edge width of the "
        "smoothness loss (the code's makes it blind to edges).",
        licence="Published code: MIT.",
    ),
    "enlighten-anything": About(
        name="Enlighten Anything",
        note="SCI's illumination, guided by regions of SAM; without regions (zeros) it sees the picture only.",
        title="Enlighten Anything: When Segment Anything Model Meets Low-Light Image Enhancement",
        where="arXiv 2306.10286",
        faithful="One fusion block inside SCI's cascade; the published layout remains as an option.",
        repaired="The published fusion has one channel per attention head, so that regions have exactly no influence; "
        "in the repaired layout, the default, every head has at least eight. Its residual keeps the exposure, which "
        "the published normalisation forgets, and a fourth channel of the map says where a region is. Region colours "
        "mean something and are steady, and regions come from the dark picture only, never from the target. The "
        "learning rates of the recipe are far below the published one.",
        unknown="The paper's loss weights and full tables.",
        licence="Published code: MIT.",
    ),
    "wakeup-darkness": About(
        name="Wakeup-Darkness",
        note="Successor of Enlighten Anything, guided by regions and by depth, either of which may be zeros.",
        title="Wakeup-Darkness: When Multimodal Meets Unsupervised Low-light Image Enhancement",
        where="ACM TOMM 2025",
        faithful="All layers, 924 parameters.",
        repaired="Losses on the picture only: the published second term has no input that training could change. The "
        "colour correction, by default the identity, is left out.",
        unknown="Nothing that affects the layers; the published table was read off a picture.",
        licence="Published code: MIT.",
    ),
    "retinexnet": About(
        name="RetinexNet",
        note="Splits the picture into reflectance and illumination, and brightens the latter.",
        title="Deep Retinex Decomposition for Low-Light Enhancement",
        where="BMVC 2018",
        faithful="Both networks and the three-part losses, as in the PyTorch port, whose decoder joins its skips; the "
        "authors' own, which adds them, is an option.",
        repaired="The port pads a 1x1 convolution and grows by two pixels there; not here.",
        unknown="The paper's denoising step (BM3D) is in no published code. The printed 0.62 M parameters match "
        "neither definition.",
        licence="Authors' code: MIT. The port has no licence.",
        attachment="after the three decoder steps.",
        guided_unknown=_UNPUBLISHED,
    ),
    "kind": About(
        name="KinD",
        note="Splits the picture, cleans the reflectance, brightens the illumination by a ratio that by default "
        "follows from the picture alone.",
        title="Kindling the Darkness: A Practical Low-light Image Enhancer (KinD)",
        where="ACM MM 2019",
        faithful="All three networks and their losses.",
        repaired="The published test takes the light ratio from the ground truth; here it is a number, or by default "
        "follows from the picture's mean illumination. Pictures are not stretched to 0..1 one by one, which would "
        "flicker in video.",
        unknown="Nothing that affects the layers.",
        licence=_NO_LICENCE,
        attachment="on the decoder of the restoration.",
        guided_unknown=_UNPUBLISHED,
        in_video=_WHOLE.format(what="the light ratio follows from the mean illumination"),
    ),
    "kind-plus": About(
        name="KinD++",
        note="KinD with a restoration at full resolution; by default the light ratio follows from the picture alone.",
        title="Beyond Brightening Low-light Images (KinD++)",
        where="IJCV 2021",
        faithful="All layers of the published code, activations around its norms included.",
        repaired="The light ratio is a number, or by default follows from the picture's mean illumination, where the "
        "published test takes it from the ground truth; pictures are not stretched to 0..1 one by one. Both as in KinD "
        "here.",
        unknown="The tables print 9.63 M parameters where the published code has 8.27 M.",
        licence=_NO_LICENCE,
        attachment="on the last stages of the restoration.",
        guided_unknown=_UNPUBLISHED,
        in_video=_WHOLE.format(what="the light ratio follows from the mean illumination"),
    ),
    "drbn": About(
        name="DRBN",
        note="DRBN: four recurrences over three bands.",
        title="From Fidelity to Perceptual Quality: A Semi-Supervised Approach for Low-Light Image Enhancement (DRBN)",
        where="CVPR 2020",
        faithful="Layers of both stages and the loss; the objective scores come from the first stage, which runs alone "
        "unless the second was trained and exported with it.",
        repaired="Nothing.",
        unknown="The printed 2.21 M is probably the size of the published file in megabytes: 557 668 parameters of "
        "four bytes.",
        licence=_NO_LICENCE,
        attachment="in the last recurrence, at three scales.",
    ),
    "hwmnet": About(
        name="HWMNet",
        note="A U-Net whose blocks send half of their channels through a wavelet transform.",
        title="Half Wavelet Attention on M-Net+ for Low-Light Image Enhancement (HWMNet)",
        where="ICIP 2022",
        faithful="All layers; at the published width they have 66.56 M parameters, as printed.",
        repaired="Nothing.",
        unknown="Configuration file and instructions of the published code disagree on the schedule; the instructions' "
        "is the recipe's.",
        licence="Published code: Apache-2.0.",
        attachment="on the three decoder outputs.",
        guided_unknown=_UNPUBLISHED,
    ),
    "snr": About(
        name="SNR-LLIE-Net",
        note="Convolutions where the picture is clean, a transformer where it is noise; its memory grows with the "
        "square of the picture.",
        title="SNR-Aware Low-Light Image Enhancement",
        where="CVPR 2022",
        faithful="Layers, masked attention and the map of the signal-to-noise ratio; at the published size 39.12 M "
        "parameters.",
        repaired="Pictures keep their size (padded to 16), where the published test resizes all of them to 400x608.",
        unknown="Whether query, key and value all come from normalised tokens; they do here.",
        licence=_NO_LICENCE,
        least=3,
        attachment="before each of the decoder's skips.",
        guided_unknown="The released script feeds the bank with the ground truth, its author says the dark picture is "
        "what was used; it is the brightened dark picture here.",
        in_video=_WHOLE.format(what="the signal-to-noise ratio is measured against its maximum"),
    ),
    "llflow-s": About(
        name="LLFlow-S",
        note="A normalising flow, run backwards from the predicted colour map: no sampling, the same result each time.",
        title="Low-Light Image Enhancement with Normalizing Flow (LLFlow)",
        where="AAAI 2022",
        faithful="Layers, conditions, coupling, prior and likelihood.",
        repaired=_FLOW_REPAIRED,
        unknown=_FLOW_UNKNOWN,
        licence="Published code: CC BY-NC-SA 4.0.",
        attachment="on the conditions of the flow, by default paired by scale, where the released code pairs the "
        "finest with the coarsest.",
        in_video=_WHOLE.format(what="the histogram that conditions the flow is taken"),
    ),
    "llflow-l": About(
        name="LLFlow-L",
        note="The large LLFlow: a normalising flow, run backwards from the predicted colour map, without sampling.",
        title="Low-Light Image Enhancement with Normalizing Flow (LLFlow)",
        where="AAAI 2022",
        faithful="Layers, conditions, coupling, prior and likelihood.",
        repaired=_FLOW_REPAIRED,
        unknown=_FLOW_UNKNOWN,
        licence="Published code: CC BY-NC-SA 4.0.",
        attachment="on the conditions of the flow, through bottlenecks, by default with a residual around them and "
        "paired by scale, where the released code pairs the finest with the coarsest.",
        in_video=_WHOLE.format(what="the histogram that conditions the flow is taken"),
    ),
    "sllen": About(
        name="SLLEN-style",
        note="After the idea of SLLEN, not a reproduction: enhancement and segmentation share an encoder.",
        title="SLLEN: Semantic-aware Low-light Image Enhancement Network",
        where="arXiv 2211.11571",
        faithful="What the abstracts say: shared encoder, two kinds of semantic features, attention and modulation, "
        "alternating training.",
        repaired="Nothing.",
        unknown="Layer tables, channels, what is random in the intermediate feature, losses, schedule, segmentation "
        "data and all results: neither full text nor code could be read. All of that is this project's design.",
        licence="No published code was found.",
        in_video=_WHOLE.format(what="attention looks at all of the picture"),
    ),
    "lime": About(
        name="LIME",
        note="Optimisation without learning: a fixed number of steps of conjugate gradients, a loop in the model.",
        title="LIME: Low-Light Image Enhancement via Illumination Map Estimation",
        where="TIP 2017",
        faithful="Equations and the third weighting of the edges.",
        repaired="The sparse direct solver is replaced by conjugate gradients with a multigrid preconditioner.",
        unknown="The original's parameters were not verified: the defaults (strength 0.15, power 0.6, epsilon 0.001) "
        "are those of a public implementation. The denoising step (BM3D) is not included.",
        licence="Public implementation: MIT.",
        least=2,
    ),
    "zero-dce": About(
        name="Zero-DCE",
        note="Estimates tone-curve maps, as published one for each of eight iterations; trained without reference "
        "pictures.",
        title="Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement (Zero-DCE)",
        where="CVPR 2020, arXiv 2001.06826",
        faithful="Layers, eight iterations, losses.",
        repaired="By default the colour loss has squares, as in the paper, where the code has fourth powers.",
        unknown="Nothing that affects the layers.",
        licence="Published code: non-commercial.",
    ),
    "zero-dce-plus-plus": About(
        name="Zero-DCE++",
        note="One tone-curve map for all iterations, which may be estimated on a reduced picture; trained without "
        "reference pictures.",
        title="Learning to Enhance Low-Light Image via Zero-Reference Deep Curve Estimation (Zero-DCE++)",
        where="TPAMI 2021, arXiv 2103.00860",
        faithful="Layers, one shared map, losses.",
        repaired="The map is brought back to exactly the picture's size. By default the colour loss has squares, as in "
        "the paper, where the code has fourth powers.",
        unknown="Nothing that affects the layers.",
        licence="Published code: non-commercial.",
    ),
    "enlightengan": About(
        name="EnlightenGAN",
        note="Generator of EnlightenGAN: a U-Net that an attention to the dark guides, trained with unpaired pictures.",
        title="EnlightenGAN: Deep Light Enhancement without Paired Supervision",
        where="TIP 2021, arXiv 1906.06972",
        faithful="Generator, both discriminators, losses; at the published widths 8.64 M parameters, as printed.",
        repaired="Nothing.",
        unknown="How the attention map is resized: by the pooling that the features pass through, here.",
        licence="Published code: BSD-style.",
    ),
    "mirnet": About(
        name="MIRNet-v2",
        note="Streams at three resolutions that exchange what they find.",
        title="Learning Enriched Features for Fast Image Restoration and Enhancement (MIRNet-v2)",
        where="TPAMI 2022",
        faithful="Blocks, fusion and context attention; widths and groups by default as published, with 5.86 M "
        "parameters.",
        repaired="Nothing.",
        unknown="Nothing that affects the layers.",
        licence="Published code: academic, non-commercial.",
    ),
}

GUIDANCE = About(
    name="SKF",
    note="Semantic knowledge guides a baseline.",
    title="Learning Semantic-Aware Knowledge Guidance for Low-Light Image Enhancement (SKF)",
    where="CVPR 2023, arXiv 2304.07039",
    faithful="The attention modules as released: normalised query and key with a learned temperature, two heads.",
    repaired="By default the query's convolution is depthwise as those of key and value, and the residual is the "
    "feature itself, not its layer norm, which forgets the exposure; both can be built as released. The bank sees the "
    "dark picture through one fixed brightening curve, in training and after it, and never the ground truth; its norms "
    "stay in evaluation mode. In the losses, where a recipe weighs them, by default every pixel has the same histogram "
    "mass and borders of classes are left out as the paper says; the discriminator persists and learns. Besides the "
    "paper's HRNet the bank may be the embedding of a SAM encoder.",
    unknown="The weights of the losses, the radius of the removed borders and the orientation of the adversarial "
    "targets; printed parameter counts mix several units.",
    licence="Published code: MIT, with baselines under their own terms inside.",
)

UNBUILT: dict[str, About] = {
    "issr": About(
        name="ISSR",
        note="In the tables of others only: no code here.",
        title="Integrating Semantic Segmentation and Retinex Model for Low-Light Image Enhancement (ISSR)",
        where="ACM MM 2020",
        faithful="Nothing: there is no network of it here.",
        repaired="Nothing.",
        unknown="Everything but the abstract: a part that extracts segmentation, reflectance and illumination, one "
        "that restores the reflectance, and an adjustment of the illumination per kind of region (sky, ground, "
        "objects). Layers, losses and schedule could not be found; 12.12 M parameters are printed elsewhere.",
        licence="No published code was found.",
    )
}


def about(system: str, guided: bool = False) -> About:
    """What is known about a system of `networks.systems`; with ``guided`` about its form that SKF guides.

    Where the modules sit counts as unknown when this project had to choose it, else as faithful.
    """
    plain = SYSTEMS[system]
    if not guided:
        return plain
    modules = f"The modules sit {plain.attachment}"
    chosen = plain.guided_unknown == _UNPUBLISHED
    return replace(
        plain,
        name=f"{plain.name}-SKF",
        note=f"{plain.note} Guided by semantic knowledge, {plain.attachment}",
        title=GUIDANCE.title,
        where=GUIDANCE.where,
        faithful=_sentences(GUIDANCE.faithful, "" if chosen else modules, f"Baseline: {plain.faithful}"),
        repaired=_sentences(GUIDANCE.repaired, f"Baseline: {plain.repaired}"),
        unknown=_sentences(
            GUIDANCE.unknown, modules if chosen else "", plain.guided_unknown, f"Baseline: {plain.unknown}"
        ),
        licence=_sentences(GUIDANCE.licence, f"Baseline: {plain.licence}"),
    )


def _sentences(*parts: str) -> str:
    return " ".join(filter(None, parts))
