/** The shells that have a completion script. */
export const shells = ["bash", "zsh", "fish"] as const;

/** One of them. */
export type Shell = (typeof shells)[number];

/** The completion script of each shell: it asks the program for every word that is completed. */
export const scripts: Readonly<Record<Shell, string>> = {
  bash: String.raw`# Completion of sallyport for bash.
_sallyport() {
  local line current="${"$"}{COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :command) compopt -o default 2>/dev/null ;;
      :nothing) ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <(sallyport __complete bash "${"$"}{COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _sallyport sallyport
`,
  zsh: String.raw`#compdef sallyport
# Completion of sallyport for zsh.
_sallyport() {
  local line
  local -a lines offers
  local also=:nothing
  lines=("${"$"}{(@f)$(sallyport __complete zsh "${"$"}{(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${"$"}{lines[@]}"; do
    case "$line" in
      :*) also="$line" ;;
      *$'\t'*) offers+=("${"$"}{${"$"}{line%%$'\t'*}//:/\\:}:${"$"}{line#*$'\t'}") ;;
      ?*) offers+=("${"$"}{line//:/\\:}") ;;
    esac
  done
  case "$also" in
    :files) _files ;;
    :command) _files ;;
    *) _describe -V 'sallyport' offers ;;
  esac
}
compdef _sallyport sallyport
`,
  fish: String.raw`# Completion of sallyport for fish.
function __sallyport_offers
  set -l words (commandline -opc) (commandline -ct)
  for line in (sallyport __complete fish $words[2..-1] 2>/dev/null)
    switch $line
      case ':files' ':command'
        __fish_complete_path (commandline -ct)
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c sallyport -f -a '(__sallyport_offers)'
`,
};
