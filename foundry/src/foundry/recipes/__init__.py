"""One module builds one artefact; `foundry/README.md` says how to add one."""
