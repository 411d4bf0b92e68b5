/** Names of environment variables that change the behaviour of programs, and their effect. */
export type DangerousNames = {
  /** In capitals; `*` matches any characters. */
  readonly names: readonly string[];
  readonly why: string;
};

/**
 * The list. It has the variables that make a common program run or load the code that the value
 * names, take its programs, packages or options from there, trust other peers or CAs, or write
 * sensitive data to a file. It has no variables that only name a server to connect to or
 * credentials for it (AWS_*, DOCKER_HOST, KUBECONFIG, PGHOST, HTTPS_PROXY, a token of a registry):
 * secrets are made for that purpose. No such list is complete: it prevents accidents; a client that
 * passes on chosen names only is protected from the rest.
 */
export const dangerousNames: readonly DangerousNames[] = [
  // The C library and the dynamic linkers.
  { names: ["LD_PRELOAD"], why: "the dynamic linker loads the named library into every program" },
  {
    names: ["LD_LIBRARY_PATH"],
    why: "the dynamic linker takes libraries from the named folders first",
  },
  {
    names: ["LD_AUDIT"],
    why: "the dynamic linker loads the named auditing library into every program",
  },
  { names: ["LD_*"], why: "the dynamic linker reads its other settings from here too" },
  { names: ["DYLD_*"], why: "the macOS linker inserts and replaces libraries by these" },
  {
    names: ["GCONV_PATH"],
    why: "the C library loads converters, which are code, from the named folders",
  },
  { names: ["GETCONF_DIR"], why: "getconf runs programs of the named folder" },
  {
    names: ["GLIBC_TUNABLES"],
    why: "the C library takes settings of its memory and loader from here",
  },
  {
    names: ["MALLOC_TRACE", "MALLOC_CHECK_"],
    why: "the C library's memory functions change, or write a file",
  },
  {
    names: ["LOCPATH", "NLSPATH"],
    why: "the C library takes locales and message formats from there",
  },
  {
    names: ["HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF"],
    why: "the C library takes host names for other hosts' by these",
  },
  {
    names: ["TMPDIR", "TMP", "TEMP"],
    why: "programs keep temporary files, values among them, there",
  },
  {
    names: ["TERMINFO", "TERMINFO_DIRS", "TERMCAP"],
    why: "programs send the terminal what is described there",
  },

  // Shells.
  { names: ["BASH_ENV"], why: "bash runs the named file before every script" },
  { names: ["ENV"], why: "sh runs the named file when it starts interactively" },
  { names: ["ZDOTDIR"], why: "zsh runs the start-up files of the named folder" },
  {
    names: ["FPATH"],
    why: "zsh and ksh load functions, which can stand for any command, from there",
  },
  { names: ["NULLCMD", "READNULLCMD"], why: "zsh runs it for a redirection without a command" },
  { names: ["BASH_FUNC*"], why: "bash takes functions from here, which can stand for any command" },
  {
    names: ["BASH_LOADABLES_PATH"],
    why: "bash loads commands, which are code, from the named folders",
  },
  {
    names: ["SHELLOPTS", "BASHOPTS"],
    why: "bash switches on the named options, such as tracing every command with its values",
  },
  { names: ["PROMPT_COMMAND"], why: "bash runs it before every prompt" },
  {
    names: ["PS0", "PS1", "PS2", "PS4"],
    why: "the shell expands it, commands included, when it shows it",
  },
  {
    names: ["BASH_XTRACEFD", "HISTFILE"],
    why: "the shell writes commands, with their values, there",
  },
  {
    names: ["IFS"],
    why: "the shell splits words at these characters, which changes what scripts run",
  },
  {
    names: ["GLOBIGNORE", "EXECIGNORE"],
    why: "bash overlooks the files and commands that it names",
  },
  { names: ["CDPATH"], why: "cd enters other folders than the script says" },
  { names: ["INPUTRC"], why: "the shell binds keys to what the named file says" },

  // Variables that every program uses.
  { names: ["PATH"], why: "every command is looked for in the named folders" },
  {
    names: ["HOME", "XDG_*"],
    why: "programs take their settings, keys and start-up files from there",
  },
  { names: ["SHELL", "COMSPEC", "CONFIG_SHELL"], why: "programs start the named file as a shell" },
  {
    names: ["PATHEXT", "SYSTEMROOT", "WINDIR"],
    why: "Windows finds its commands and libraries by it",
  },
  { names: ["PSMODULEPATH"], why: "PowerShell loads modules from the named folders" },
  {
    names: ["EDITOR", "VISUAL", "FCEDIT", "*_EDITOR"],
    why: "git, the shell and others run it to have a text edited",
  },
  {
    names: ["PAGER", "MANPAGER", "*_PAGER"],
    why: "git, man, psql, aws and others run it to show a text",
  },
  { names: ["BROWSER", "GH_BROWSER"], why: "log-in commands run it" },
  { names: ["*_ASKPASS"], why: "ssh, git and sudo run it and trust its answer" },
  { names: ["LESSOPEN", "LESSCLOSE"], why: "less runs it for every file" },
  {
    names: ["LESS", "LESSKEY*"],
    why: "less takes options and keys from here, which may run commands",
  },
  { names: ["VIMINIT", "EXINIT", "MYVIMRC"], why: "vi and vim run it when they start" },
  { names: ["EMACSLOADPATH"], why: "Emacs loads code from the named folders" },
  {
    names: ["DBUS_*"],
    why: "programs talk to the bus at that address, and an address may run a command",
  },
  {
    names: [
      "GTK_MODULES",
      "GTK_PATH",
      "GIO_EXTRA_MODULES",
      "GIO_MODULE_DIR",
      "QT_PLUGIN_PATH",
      "GST_PLUGIN_*",
    ],
    why: "graphical programs, browsers among them, load modules from there",
  },

  // git and other remote access.
  {
    names: ["GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND"],
    why: "git runs it to reach a server",
  },
  { names: ["GIT_EXEC_PATH"], why: "git runs its own commands from the named folder" },
  {
    names: ["GIT_CONFIG*"],
    why: "git takes settings from here, and settings name commands to run",
  },
  {
    names: ["GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_CEILING_DIRECTORIES"],
    why: "git takes settings and hooks, which run, from another repository",
  },
  {
    names: ["GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"],
    why: "git takes files from there",
  },
  { names: ["GIT_EXTERNAL_DIFF"], why: "git runs it for every changed file" },
  { names: ["GIT_TEMPLATE_DIR"], why: "git copies hooks from there into new repositories" },
  {
    names: ["GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER"],
    why: "git fetches by the named ways, and one of them runs a command",
  },
  {
    names: ["GIT_TRACE*", "GIT_CURL_VERBOSE"],
    why: "git writes down what it sends, passwords among it",
  },
  { names: ["SSH_SK_PROVIDER"], why: "ssh loads the named library" },
  {
    names: ["RSYNC_RSH", "RSYNC_CONNECT_PROG", "CVS_RSH", "SVN_SSH", "UUCP_RSH"],
    why: "rsync, svn and others run it to reach a server",
  },
  {
    names: ["HGRCPATH", "HG"],
    why: "Mercurial takes settings from there, and settings name commands to run",
  },

  // Trust stores.
  {
    names: ["NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "PYTHONHTTPSVERIFY"],
    why: "TLS is no longer checked",
  },
  {
    names: [
      "SSL_CERT_FILE",
      "SSL_CERT_DIR",
      "CURL_CA_BUNDLE",
      "REQUESTS_CA_BUNDLE",
      "NODE_EXTRA_CA_CERTS",
      "GIT_SSL_CAINFO",
      "GIT_SSL_CAPATH",
    ],
    why: "programs trust whatever server the named authority vouches for",
  },
  {
    names: ["SSLKEYLOGFILE"],
    why: "programs write the keys of their connections to the named file",
  },
  {
    names: ["OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"],
    why: "OpenSSL loads modules by it",
  },
  {
    names: ["KRB5_CONFIG", "LDAPCONF", "LDAPRC"],
    why: "log-in libraries take settings and modules from there",
  },
  { names: ["GNUPGHOME"], why: "gpg takes its settings, programs and trusted keys from there" },
  { names: ["CURL_HOME", "WGETRC", "SYSTEM_WGETRC"], why: "curl and wget take options from there" },

  // Languages.
  {
    names: ["NODE_OPTIONS", "BUN_OPTIONS", "TS_NODE_*"],
    why: "node and its kin take options from here, such as modules to load first",
  },
  { names: ["NODE_PATH"], why: "node loads modules from the named folders" },
  { names: ["NODE_COMPILE_CACHE"], why: "node runs compiled code from the named folder" },
  { names: ["NODE_REPL_EXTERNAL_MODULE"], why: "node runs the named file instead of its prompt" },
  { names: ["ELECTRON_RUN_AS_NODE"], why: "desktop programs become a plain node" },
  {
    names: ["PYTHONPATH", "PYTHONUSERBASE"],
    why: "python imports modules from the named folders first",
  },
  {
    names: ["PYTHONHOME", "PYTHONPLATLIBDIR"],
    why: "python takes its standard library from there",
  },
  { names: ["PYTHONPYCACHEPREFIX"], why: "python runs compiled code from the named folder" },
  { names: ["PYTHONSTARTUP"], why: "python runs the named file when it starts interactively" },
  { names: ["PYTHONINSPECT"], why: "python stays and takes commands after its script" },
  {
    names: ["PYTHONWARNINGS", "PYTHONBREAKPOINT", "PYTHON_PRESITE"],
    why: "python imports the module that it names",
  },
  { names: ["PYTHONEXECUTABLE"], why: "python takes the named file for itself" },
  {
    names: ["PYTEST_ADDOPTS", "PYTEST_PLUGINS"],
    why: "pytest takes options and modules to load from here",
  },
  {
    names: ["PERL5OPT", "PERL5DB"],
    why: "perl takes options and code from here, such as modules to load first",
  },
  { names: ["PERL5LIB", "PERLLIB"], why: "perl loads modules from the named folders first" },
  { names: ["PERL5SHELL", "RUBYSHELL"], why: "perl and ruby run commands with it" },
  { names: ["RUBYOPT", "IRBRC"], why: "ruby takes options from here, such as files to load first" },
  { names: ["RUBYLIB", "RUBYPATH"], why: "ruby loads files from the named folders first" },
  {
    names: ["GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE", "BUNDLE_PATH", "BUNDLE_APP_CONFIG"],
    why: "ruby takes its packages, or the list of them, from there",
  },
  {
    names: ["PHPRC", "PHP_INI_SCAN_DIR"],
    why: "php takes settings from there, and settings name code to load",
  },
  { names: ["LUA_INIT*"], why: "lua runs it before every script" },
  { names: ["LUA_PATH*", "LUA_CPATH*"], why: "lua loads modules from the named places" },
  {
    names: ["AWKPATH", "AWKLIBPATH"],
    why: "awk loads programs and libraries from the named folders",
  },
  { names: ["TCLLIBPATH"], why: "tcl loads packages from the named folders" },
  {
    names: [
      "R_PROFILE",
      "R_PROFILE_USER",
      "R_ENVIRON",
      "R_ENVIRON_USER",
      "R_HOME",
      "R_LIBS",
      "R_LIBS_USER",
    ],
    why: "R runs start-up files and loads packages from there",
  },
  { names: ["JULIA_LOAD_PATH", "JULIA_DEPOT_PATH"], why: "julia loads packages from there" },
  {
    names: ["ERL_*FLAGS", "ERL_LIBS", "ELIXIR_ERL_OPTIONS"],
    why: "Erlang takes options and code from there",
  },
  {
    names: ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS"],
    why: "Java takes options from here, such as agents to load",
  },
  {
    names: ["MAVEN_OPTS", "MAVEN_ARGS", "GRADLE_OPTS", "ANT_OPTS", "ANT_ARGS", "SBT_OPTS"],
    why: "Java's build tools take options from here, such as agents to load",
  },
  { names: ["CLASSPATH"], why: "java loads classes from there" },
  {
    names: [
      "JAVA_HOME",
      "JAVACMD",
      "MAVEN_HOME",
      "M2_HOME",
      "GRADLE_HOME",
      "GRADLE_USER_HOME",
      "ANT_HOME",
    ],
    why: "Java and its build tools are run, or take their settings, from there",
  },
  {
    names: [
      "DOTNET_STARTUP_HOOKS",
      "DOTNET_ADDITIONAL_DEPS",
      "DOTNET_SHARED_STORE",
      "DOTNET_ROOT*",
    ],
    why: ".NET loads code from there",
  },
  {
    names: ["CORECLR_*", "COR_PROFILER*", "COR_ENABLE_PROFILING", "COMPLUS_*"],
    why: ".NET loads a profiler, which is code, by these",
  },
  {
    names: ["MONO_PATH", "MONO_GAC_PREFIX", "MONO_ENV_OPTIONS"],
    why: "Mono loads code from there",
  },

  // Build tools and package managers.
  {
    names: ["MAKEFLAGS", "GNUMAKEFLAGS", "MFLAGS"],
    why: "make takes options from here, such as rules to run",
  },
  { names: ["MAKEFILES"], why: "make reads the named files first" },
  {
    names: ["CC", "CXX", "CPP", "LD", "AR", "AS", "NM", "FC"],
    why: "build tools run it as a compiler",
  },
  {
    names: ["CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CGO_*"],
    why: "compilers take options from here, such as plug-ins to load",
  },
  {
    names: [
      "CPATH",
      "C_INCLUDE_PATH",
      "CPLUS_INCLUDE_PATH",
      "LIBRARY_PATH",
      "COMPILER_PATH",
      "GCC_EXEC_PREFIX",
    ],
    why: "compilers take code, libraries and their own programs from there",
  },
  { names: ["CONFIG_SITE"], why: "configure scripts run the named file" },
  {
    names: ["CMAKE_*_LAUNCHER", "CMAKE_TOOLCHAIN_FILE", "PKG_CONFIG*"],
    why: "build tools run or read it",
  },
  {
    names: ["GOFLAGS", "GOENV", "GOROOT", "GOPATH", "GOTOOLCHAIN", "GOTOOLDIR"],
    why: "go takes options, settings and programs to run from there",
  },
  { names: ["GOAUTH", "GOCACHEPROG"], why: "go runs the command that it names" },
  {
    names: ["GOPROXY", "GOSUMDB", "GONOSUMDB", "GOINSECURE"],
    why: "go takes code from there, or unchecked",
  },
  {
    names: [
      "RUSTC",
      "RUSTDOC",
      "RUSTC_WRAPPER",
      "RUSTC_WORKSPACE_WRAPPER",
      "CARGO_BUILD_*",
      "CARGO_TARGET_*",
    ],
    why: "cargo runs it as a compiler, linker or runner",
  },
  {
    names: ["RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_*"],
    why: "rustc takes options from here, such as a linker",
  },
  {
    names: ["CARGO_HOME", "CARGO_ALIAS_*", "CARGO_SOURCE_*"],
    why: "cargo takes settings and sources from there",
  },
  {
    names: ["CARGO_REGISTRY_CREDENTIAL_PROVIDER", "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"],
    why: "cargo runs it to get a password",
  },
  { names: ["RUSTUP_*"], why: "rustup takes the tools that it runs from there" },
  {
    names: ["NPM_CONFIG_*"],
    why:
      "npm and pnpm take options from here, such as the shell to run scripts with and where " +
      "packages come from",
  },
  {
    names: [
      "YARN_YARN_PATH",
      "YARN_PLUGINS",
      "YARN_RC_FILENAME",
      "YARN_NPM_REGISTRY_SERVER",
      "COREPACK_*REGISTRY",
    ],
    why: "yarn and corepack run it, or take packages from there",
  },
  {
    names: ["PIP_*"],
    why: "pip takes options from here, such as where packages, which run code, come from",
  },
  {
    names: [
      "UV_INDEX",
      "UV_INDEX_URL",
      "UV_EXTRA_INDEX_URL",
      "UV_DEFAULT_INDEX",
      "UV_FIND_LINKS",
      "UV_CONFIG_FILE",
    ],
    why: "uv takes packages, which run code, from there",
  },
  {
    names: ["UV_PYTHON*", "PYENV_ROOT", "RBENV_ROOT", "NVM_DIR"],
    why: "the tools that are run are taken from there",
  },
  {
    names: ["PUPPETEER_EXECUTABLE_PATH", "CHROME_BIN", "CYPRESS_RUN_BINARY", "ESBUILD_BINARY_PATH"],
    why: "test and build tools run the named file",
  },

  // Deployment tools.
  {
    names: ["TAR_OPTIONS", "ZIPOPT", "RIPGREP_CONFIG_PATH"],
    why: "it takes options from here, such as commands to run",
  },
  { names: ["FZF_DEFAULT_COMMAND", "KUBECTL_EXTERNAL_DIFF"], why: "it is run as a command" },
  { names: ["HELM_PLUGINS", "HELM_DATA_HOME"], why: "helm runs plug-ins of the named folder" },
  {
    names: [
      "TF_CLI_ARGS*",
      "TF_CLI_CONFIG_FILE",
      "TERRAFORM_CONFIG",
      "TF_DATA_DIR",
      "TF_PLUGIN_CACHE_DIR",
    ],
    why: "Terraform takes options and plug-ins, which run, from there",
  },
  {
    names: [
      "ANSIBLE_CONFIG",
      "ANSIBLE_LIBRARY",
      "ANSIBLE_ROLES_PATH",
      "ANSIBLE_COLLECTIONS_PATH*",
      "ANSIBLE_*_PLUGINS",
      "ANSIBLE_VAULT_PASSWORD_FILE",
    ],
    why: "Ansible takes settings and code from there",
  },
  {
    names: ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"],
    why: "the AWS tools run the commands that the named file gives as credential processes",
  },
  {
    names: ["DOCKER_CONFIG"],
    why: "docker runs plug-ins and credential helpers by the named folder",
  },
  { names: ["CLOUDSDK_PYTHON"], why: "gcloud is run by it instead of Python" },
  { names: ["PSQLRC", "PGSYSCONFDIR"], why: "psql runs the start-up file that it names" },
  {
    names: ["LIBMYSQL_PLUGINS", "LIBMYSQL_PLUGIN_DIR"],
    why: "MySQL's clients load the named libraries",
  },
  { names: ["ODBCSYSINI", "ODBCINSTINI"], why: "ODBC loads drivers, which are code, by it" },
  { names: ["SALLYPORT_*"], why: "Sallyport's own commands take their settings from here" },
];

const patterns = dangerousNames.flatMap(({ names, why }) =>
  names.map((name) => ({ pattern: new RegExp(`^${name.replaceAll("*", ".*")}$`), why })),
);

/**
 * Returns the reason why a name is dangerous in an environment, or undefined. Case is ignored, as
 * it is on Windows.
 */
export function dangerOf(name: string): string | undefined {
  const capitals = name.toUpperCase();
  return patterns.find(({ pattern }) => pattern.test(capitals))?.why;
}
