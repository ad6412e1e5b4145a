"""Draws scenes with Blender's Cycles: the only file of ours that knows Blender.

A program of its own, run by a Python that has the package `bpy`; it imports nothing of
ours and is imported by nothing. It reads requests from its standard input and answers
on its standard output, one at a time. A message is the length of a JSON text in four
bytes, highest first, and the text. Arrays travel as `.npy` files in a folder that the
request names. It ends when its input does.
"""

import json
import math
import os
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

PROTOCOL = 1


class Channel:
    """Messages over standard input and output; whatever else is printed goes aside."""

    def __init__(self) -> None:
        """Takes standard output for messages, and gives prints to standard error."""
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._in = sys.stdin.buffer

    def read(self) -> dict[str, Any] | None:
        """The next request, or None after the last."""
        head = self._in.read(4)
        if len(head) < 4:
            return None
        (length,) = struct.unpack(">I", head)
        return dict(json.loads(self._in.read(length)))

    def write(self, message: dict[str, Any]) -> None:
        """Sends an answer."""
        data = json.dumps(message).encode()
        self._out.write(struct.pack(">I", len(data)) + data)
        self._out.flush()


class Studio:
    """One scene in Blender."""

    def __init__(self, bpy: Any, request: dict[str, Any]) -> None:
        """Builds the scene from nothing."""
        self.bpy, self.request, self.folder = bpy, request, Path(request["folder"])
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        self.set_up_render()
        self.add_camera()
        self.add_sun()
        self.add_world()
        self.add_sheet()
        for k in range(len(request["items"])):
            self.add_item(k)

    def load(self, name: str) -> np.ndarray:
        """An array of the request."""
        return np.asarray(np.load(self.folder / f"{name}.npy", allow_pickle=False))

    def set_up_render(self) -> None:
        """Path tracing on the processor, the same whenever it is repeated."""
        scene, request = self.scene, self.request
        rows, columns = request["size"]
        scene.view_settings.view_transform = "Raw"
        _set(scene.render, engine="CYCLES", resolution_x=columns, resolution_y=rows,
             threads_mode="FIXED", threads=request["num_threads"],
             use_persistent_data=True)  # fmt: skip
        if self.bpy.app.version >= (5, 0, 0):
            # All layers in one part, as older versions write them.
            _set(scene.render.image_settings, media_type="MULTI_LAYER_IMAGE",
                 use_exr_interleave=True)  # fmt: skip
        _set(scene.render.image_settings, file_format="OPEN_EXR_MULTILAYER",
             color_depth="32", exr_codec="NONE")  # fmt: skip
        _set(scene.cycles, device="CPU", seed=request["seed"],
             samples=request["samples"], use_denoising=True,
             use_adaptive_sampling=False, pixel_filter_type="BOX",
             denoiser="OPENIMAGEDENOISE", max_bounces=12, diffuse_bounces=3,
             glossy_bounces=4, transmission_bounces=10, transparent_max_bounces=10,
             caustics_reflective=False, caustics_refractive=False,
             sample_clamp_indirect=4.0)  # fmt: skip

        self.num_layers = math.ceil((1 + 4 * len(request["items"])) / 3)
        for k in range(self.num_layers):
            _set(scene.view_layers[0].aovs.add(), name=f"known{k}", type="COLOR")

    def add(self, name: str, data: Any) -> Any:
        """An object in the scene."""
        made = self.bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(made)
        return made

    def add_camera(self) -> None:
        """A camera that looks away from the viewer and down."""
        about = self.request["camera"]
        rows, columns = self.request["size"]
        data = self.bpy.data.cameras.new("camera")
        lens = 16.0 / math.tan(math.radians(about["field_of_view"]) / 2)
        _set(data, sensor_fit="HORIZONTAL" if columns <= rows else "VERTICAL",
             sensor_width=32.0, sensor_height=32.0, lens=lens)  # fmt: skip
        pitch = math.radians(90.0 - about["pitch"])
        self.scene.camera = self.add("camera", data)
        _set(self.scene.camera, location=about["eye"], rotation_euler=(pitch, 0, 0))

    def add_sun(self) -> None:
        """The key light: a far disc, so that the whole floor is lit alike."""
        about = self.request["sun"]
        data = self.bpy.data.lights.new("sun", "SUN")
        # The unit is power: a matte surface gives back 1 part in pi per direction.
        _set(data, energy=math.pi, color=about["color"], angle=about["angle"])
        sun = self.add("sun", data)
        x, y, z = about["way"]
        sun.rotation_euler = (math.acos(z), 0.0, math.atan2(x, -y))
        # Mirrors see the strip lights of the room instead.
        sun.visible_glossy = False

    def add_world(self) -> None:
        """The fill light for what is matte; the room for what mirrors."""
        world = self.bpy.data.worlds.new("world")
        self.scene.world = world
        world.use_nodes = True
        world.cycles.sampling_method = "NONE"
        tree = Nodes(world.node_tree)
        path = tree.new("ShaderNodeLightPath")
        room = tree.new("ShaderNodeTexEnvironment")
        room.image = self.image("environment")
        around = tree.new("ShaderNodeBackground", Color=room.outputs["Color"])
        fill = (self.request["fill"],) * 3 + (1.0,)
        even = tree.new("ShaderNodeBackground", Color=fill)
        chosen = tree.mix(
            path.outputs["Is Diffuse Ray"], around.outputs[0], even.outputs[0]
        )
        tree.end("ShaderNodeOutputWorld", chosen)

    def image(self, name: str) -> Any:
        """An array as a Blender image in linear light."""
        values = self.load(name)
        if values.ndim == 2:
            values = np.repeat(values[:, :, None], 3, axis=2)
        rows, columns = values.shape[:2]
        alpha = np.ones((rows, columns, 1), np.float32)
        made = self.bpy.data.images.new(
            name, columns, rows, float_buffer=True, is_data=True, alpha=True
        )
        made.pixels.foreach_set(np.concatenate([values, alpha], axis=2).ravel())
        return made

    def add_sheet(self) -> None:
        """The floor, and the wall behind it, which only cameras and glass see."""
        about = self.request["floor"]
        half, edge = about["half"], about["y"][1]
        floor = self.add_plane("floor", (-half, half), (-half, edge), about)
        tree = Nodes.of(self.bpy, floor, "floor")
        seen = self.texture(tree, "floor", "EXTEND")
        lit = tree.new("ShaderNodeVectorMath", operation="DIVIDE")
        tree.link(seen.outputs["Color"], lit.inputs[0])
        lit.inputs[1].default_value = about["lit"]
        paper = tree.new("ShaderNodeBsdfDiffuse", Color=lit.outputs[0])
        glow = tree.new("ShaderNodeEmission", Color=seen.outputs["Color"])
        shine = self.request["shine"]
        tree.end("ShaderNodeOutputMaterial",
                 tree.mix(shine, paper.outputs[0], glow.outputs[0]))  # fmt: skip
        self.tell(tree)
        wide, high = (-half, half), (0.0, 2 * half)
        wall = self.add_plane("wall", wide, high, self.request["wall"])
        wall.location, wall.rotation_euler = (0.0, edge, 0.0), (math.pi / 2, 0.0, 0.0)
        tree = Nodes.of(self.bpy, wall, "wall")
        glow = tree.new(
            "ShaderNodeEmission",
            Color=self.texture(tree, "wall", "EXTEND").outputs["Color"],
        )
        tree.end("ShaderNodeOutputMaterial", glow.outputs[0])
        self.tell(tree)
        wall.visible_diffuse = wall.visible_glossy = wall.visible_shadow = False

    def texture(self, tree: "Nodes", name: str, outside: str) -> Any:
        """A node that reads an image where the mesh says."""
        node = tree.new("ShaderNodeTexImage")
        node.image, node.extension = self.image(name), outside
        return node

    def add_plane(self, name: str, x: Any, y: Any, seen: dict[str, Any]) -> Any:
        """A rectangle; `seen` is the part of the plane that its texture shows."""
        corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        low, high = np.array([seen["x"], seen["y"]]).T
        data = self.bpy.data.meshes.new(name)
        data.from_pydata([(*one, 0.0) for one in corners], [], [(0, 1, 2, 3)])
        places = (np.array(corners) - low) / (high - low)
        data.uv_layers.new(name="at").data.foreach_set("uv", places.ravel())
        return self.add(name, data)

    def add_item(self, k: int) -> Any:
        """A thing: its mesh, smooth, with two materials."""
        about = self.request["items"][k]
        data = self.bpy.data.meshes.new(f"item{k}")
        points, faces = self.load(f"item{k}_points"), self.load(f"item{k}_faces")
        for owner, count, name, values in (
            (data.vertices, len(points), "co", points.ravel()),
            (data.loops, faces.size, "vertex_index", faces.ravel()),
            (data.polygons, len(faces), "loop_start", np.arange(len(faces)) * 4),
        ):
            owner.add(count)
            owner.foreach_set(name, values)
        data.polygons.foreach_set("material_index", self.load(f"item{k}_is_accent"))
        data.update(calc_edges=True)
        data.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
        data.normals_split_custom_set_from_vertices(self.load(f"item{k}_normals"))
        layer = data.attributes.new("paint", "FLOAT_VECTOR", "POINT")
        layer.data.foreach_set("vector", self.load(f"item{k}_colors").ravel())
        places = self.load(f"item{k}_print_at")[faces]
        data.uv_layers.new(name="at").data.foreach_set("uv", places.ravel())
        item = self.add(f"item{k}", data)
        for slot, values in enumerate(about["materials"]):
            self.add_look(item, k, about, values, slot == 0 and about["is_printed"])
        return item

    def add_look(
        self, item: Any, k: int, about: Any, values: Any, is_printed: bool
    ) -> None:
        """A material: one surface model for all, with the print laid over it."""
        tree = Nodes.of(self.bpy, item, f"item{k}")
        color: Any = tree.new("ShaderNodeAttribute", attribute_name="paint").outputs[0]
        metal, glass = values["metal"], values["glass"]
        roughness: Any = values["roughness"]
        bare: Any = 1.0
        shares: tuple[Any, ...] = (0.0, 0.0, 0.0)
        if is_printed:
            print_ = self.texture(tree, f"item{k}_print", "CLIP")
            plate, ink = ((*about[name], 1.0) for name in ("plate", "ink"))
            printed, plated = print_.outputs["Color"], print_.outputs["Alpha"]
            room = self.texture(tree, f"item{k}_room", "CLIP").outputs["Color"]
            shares = printed, tree.math("MULTIPLY", printed, room), room
            label = tree.mix(printed, plate, ink, "RGB")
            color = tree.mix(plated, color, label, "RGB")
            bare = tree.math("SUBTRACT", 1.0, plated)
            metal, glass = (tree.math("MULTIPLY", bare, one) for one in (metal, glass))
            roughness = tree.math("ADD", tree.math("MULTIPLY", bare, roughness),
                                  tree.math("MULTIPLY", plated, 0.5))  # fmt: skip
        body = tree.new("ShaderNodeBsdfPrincipled", **{
            "Base Color": color, "Metallic": metal, "Roughness": roughness,
            "IOR": values["index"], "Transmission Weight": glass,
            "Sheen Weight": values["sheen"],
        })  # fmt: skip
        surface = body.outputs[0]
        if values["glass"]:
            # Without caustics, light passes glass as if it were a filter.
            path = tree.new("ShaderNodeLightPath").outputs
            passed = tree.math("MAXIMUM", path["Is Shadow Ray"], path["Is Diffuse Ray"])
            filter_ = tree.new("ShaderNodeBsdfTransparent", Color=color)
            surface = tree.mix(tree.math("MULTIPLY", passed, bare), surface,
                               filter_.outputs[0])  # fmt: skip
        tree.end("ShaderNodeOutputMaterial", surface)
        self.tell(tree, k, *shares)

    def tell(self, tree: "Nodes", k: int | None = None, *shares: Any) -> None:
        """Makes a material tell what a camera's ray meets: how far, which, print."""
        count = len(self.request["items"])
        facts: list[Any] = [0.0] * (3 * self.num_layers)
        facts[0] = tree.new("ShaderNodeCameraData").outputs["View Distance"]
        if k is not None:
            facts[1 + k : 1 + 4 * count : count] = 1.0, *shares
        for layer in range(self.num_layers):
            three = tree.new("ShaderNodeCombineXYZ")
            for value, socket in zip(facts[3 * layer :], three.inputs, strict=False):
                tree.link(value, socket)
            tree.new("ShaderNodeOutputAOV", aov_name=f"known{layer}",
                     Color=three.outputs[0])  # fmt: skip

    def draw(self) -> np.ndarray:
        """The picture and what is true of its pixels.

        Returns:
          float32 `[rows, columns, 4 + 4 items]`: linear colour, distance from the
          camera, and per item its share of the pixel, its ink, text and text's room.
        """
        path = self.folder / "render.exr"
        self.scene.render.filepath = str(path)
        self.bpy.ops.render.render(write_still=True)
        layers = _read_layers(path, *self.request["size"])
        names = ["Combined", *(f"known{k}" for k in range(self.num_layers))]
        found = [layers[f"ViewLayer.{name}.{c}"] for name in names for c in "RGB"]
        return np.stack(found[: 4 + 4 * len(self.request["items"])], axis=2)


class Nodes:
    """A shader as a tree of nodes, made anew."""

    def __init__(self, tree: Any) -> None:
        """Empties the tree."""
        self.tree = tree
        tree.nodes.clear()

    @classmethod
    def of(cls, bpy: Any, item: Any, name: str) -> "Nodes":
        """One more material of an object."""
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        item.data.materials.append(material)
        return cls(material.node_tree)

    def link(self, value: Any, socket: Any) -> None:
        """Gives an input a number, a colour or another node's output."""
        if hasattr(value, "is_linked"):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def new(self, kind: str, **values: Any) -> Any:
        """A node; values are of its inputs, lower-case ones of its properties."""
        node = self.tree.nodes.new(kind)
        for name, value in values.items():
            if name[0].islower():
                setattr(node, name, value)
            else:
                self.link(value, node.inputs[name])
        return node

    def math(self, operation: str, first: Any, second: Any) -> Any:
        """A number made from two."""
        node = self.new("ShaderNodeMath", operation=operation)
        for value, socket in zip((first, second), node.inputs, strict=False):
            self.link(value, socket)
        return node.outputs[0]

    def mix(self, share: Any, first: Any, second: Any, kind: str = "Shader") -> Any:
        """A surface, or with `RGB` a colour, between two."""
        node = self.new(f"ShaderNodeMix{kind}")
        for value, socket in zip((share, first, second), node.inputs, strict=True):
            self.link(value, socket)
        return node.outputs[0]

    def end(self, kind: str, surface: Any) -> None:
        """What the tree is for."""
        self.link(surface, self.new(kind).inputs["Surface"])


def _read_layers(path: Path, rows: int, columns: int) -> dict[str, np.ndarray]:
    """Reads an OpenEXR file of float32 lines that are not compressed.

    Blender writes all layers of a render there, and lets scripts read the first.
    """
    data = path.read_bytes()
    start = data.index(b"channels\0chlist\0") + 20
    (length,) = struct.unpack("<I", data[start - 4 : start])
    # A name, a zero byte, and 16 bytes of type and sampling per channel.
    names, rest = [], data[start : start + length - 1]
    while rest:
        name, _, rest = rest.partition(b"\0")
        names.append(name.decode())
        rest = rest[16:]
    count = rows * (2 + len(names) * columns)
    lines = np.frombuffer(data[-4 * count :], "<f4").reshape(rows, -1)
    if lines[:, 0].view("<i4").tolist() != list(range(rows)):
        raise ValueError("a picture in another form than this program reads")
    channels = lines[:, 2:].reshape(rows, len(names), columns)
    return {name: channels[:, k] for k, name in enumerate(names)}


def _set(owner: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(owner, name, value)


def answer(bpy: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Draws what is asked for; the folder then has `result.npy`."""
    np.save(Path(request["folder"]) / "result.npy", Studio(bpy, request).draw())
    return {"is_done": True}


def main() -> int:
    """Answers requests until there are no more."""
    channel = Channel()
    try:
        import bpy
    except ImportError as error:
        channel.write({"missing": "bpy", "reason": str(error)})
        return 1
    channel.write({"protocol": PROTOCOL, "renderer": f"bpy {bpy.app.version_string}"})
    while (request := channel.read()) is not None:
        try:
            channel.write(answer(bpy, request))
        except Exception as error:
            traceback.print_exc()
            channel.write({"error": f"{type(error).__name__}: {error}"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
