"""Whether tables of production environments were ever given permissions (00 §11)."""

from __future__ import annotations

from bkend.doctor.findings import Finding, ok, warning
from bkend.doctor.patient import Patient, every_place


async def look(patient: Patient) -> Finding:
    """Tables of `prod` environments that follow the default matrix of 21 §7."""
    assert patient.core is not None
    open_tables: list[str] = []
    environments = 0
    async for place in every_place(patient.core):
        if place.type != "prod":
            continue
        environments += 1
        open_tables += [
            f"{place.name}: {table.name}"
            for table in await place.environment.services.tables.list()
            if table.permissions is None and table.expression_permissions is None
        ]
    if open_tables:
        return warning(
            f"{len(open_tables)} tables of production follow the default permissions: everybody "
            "may read them, and whoever is signed in may create",
            "give each its permissions with `bkend apply` or in the console",
            tuple(open_tables),
        )
    if not environments:
        return ok("there is no production environment")
    return ok("every table of production has permissions of its own")
