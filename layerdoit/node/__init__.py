"""Facts of a Node project: package.json, package manager, lock file, version of Node. No Docker, no configuration."""
