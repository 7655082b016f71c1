"""From a star catalogue to chemical components of the stellar halo, and from components to science."""
