int rcmp_abi_version(void) { return 1; }
