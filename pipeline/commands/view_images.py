"""Image files given on a command line as [VIEW=]DIR or [VIEW=]FILE."""

from pathlib import Path

from pipeline.errors import ConfigError


def view_images(recipe: Path, given: list[str], option: str) -> dict[str, list[Path]]:
    """View to its images. A path without a view belongs to the recipe's only one.

    Args:
        recipe: the recipe's folder.
        given: what was given.
        option: how the option is called, for messages.

    Raises:
        ConfigError: a path names no view of the recipe.
        RecipeError: the recipe cannot be read.
        DataError: there are no images.
    """
    from pipeline.recipe import load_recipe
    from pipeline.sealing import image_files

    if not given:
        return {}
    views = list(load_recipe(recipe, sealed=False).views)
    found = {}
    for text in given:
        view, equals, path = text.partition("=")
        if equals and view in views:
            found[view] = image_files(Path(path))
        elif len(views) == 1 and len(given) == 1:
            found[views[0]] = image_files(Path(text))
        else:
            raise ConfigError(
                f"{option} {text} names no view", where=str(recipe), allowed=f"VIEW= one of {', '.join(views)}"
            )
    return found


def spread(paths: list[Path], count: int) -> list[Path]:
    """So many of the paths, spread over all of them."""
    count = min(count, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]
