"""Where codes live that are no vectors; :data:`isthmus.registry.GEOMETRIES` lists the spaces."""

from __future__ import annotations

from isthmus.geometries.base import Geometry
from isthmus.geometries.poincare import Poincare
from isthmus.geometries.sphere import Sphere

__all__ = ["Geometry", "Poincare", "Sphere"]
