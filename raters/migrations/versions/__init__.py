"""One file per revision; the last is `raters.tables.REVISION`."""
