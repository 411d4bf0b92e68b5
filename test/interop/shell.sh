#!/bin/sh
# Enrolls and reads with only curl and openssl 3, from proto/SIGNING.md alone. Values are read
# unsealed: openssl cannot open HPKE.
# Environment: SALLYPORT_URL, SALLYPORT_CA, SALLYPORT_ENROLLMENT_TOKEN. Argument: the id of a
# granted secret.
set -eu
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

authority=${SALLYPORT_URL#https://}
b64() { openssl base64 -A; }
b64url() { b64 | tr '+/' '-_' | tr -d '='; }
unb64url() {
  { tr -- '-_' '+/'; echo; } | awk '{ while (length($0) % 4) $0 = $0 "="; print }' |
    openssl base64 -d -A
}

# pem_of_seed FILE: the PKCS#8 key (RFC 8410) of the 32-byte seed on standard input.
pem_of_seed() {
  { printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'; cat; } |
    openssl pkey -inform DER -out "$1"
}
raw_public() { openssl pkey -in "$1" -pubout -outform DER | tail -c 32; }

# call KEYFILE KEYID METHOD: sends $work/body signed; the answer is in $work/answer, and in the
# message when refused.
call() {
  path=/$3
  digest="sha-256=:$(openssl dgst -sha256 -binary "$work/body" | b64):"
  nonce=$(openssl rand 16 | b64url)
  params='("@method" "@authority" "@path" "content-type" "content-digest")'
  params="$params;created=$(date +%s);nonce=\"$nonce\";keyid=\"$2\""
  params="$params;alg=\"ed25519\";tag=\"sallyport-v1\""
  {
    printf '"@method": POST\n"@authority": %s\n"@path": %s\n' "$authority" "$path"
    printf '"content-type": application/json\n"content-digest": %s\n' "$digest"
    printf '"@signature-params": %s' "$params"
  } >"$work/base"
  signature=$(openssl pkeyutl -sign -rawin -inkey "$1" -in "$work/base" | b64)
  status=$(curl -sS --cacert "$SALLYPORT_CA" --data-binary @"$work/body" \
    -H 'content-type: application/json' -H "content-digest: $digest" \
    -H "signature-input: sp=$params" -H "signature: sp=:$signature:" \
    -o "$work/answer" -w '%{http_code}' "$SALLYPORT_URL$path")
  [ "$status" = 200 ] && return
  printf 'refused (%s): %s\n' "$status" "$(field message)" >&2
  exit 3
}

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/answer"; }

# The token's text: sp_enr_ID.VAULT.FINGERPRINT.SEED.CHECKSUM
rest=${SALLYPORT_ENROLLMENT_TOKEN#sp_enr_}
token_id=${rest%%.*}; rest=${rest#*.}
vault_id=${rest%%.*}; rest=${rest#*.}
rest=${rest#*.}
seed=${rest%%.*}

openssl genpkey -algorithm ED25519 -out "$work/machine.pem"
printf %s "$seed" | unb64url | pem_of_seed "$work/token.pem"
raw_public "$work/machine.pem" >"$work/machine.pub"
raw_public "$work/token.pem" >"$work/token.pub"
{
  printf 'sallyport-enroll-v1\000%s' "$vault_id"
  cat "$work/token.pub" "$work/machine.pub"
} >"$work/statement"
proof=$(openssl pkeyutl -sign -rawin -inkey "$work/token.pem" -in "$work/statement" | b64)

{
  printf '{"vaultId":"%s","token":{"tokenId":"%s","publicKey":"%s",' \
    "$vault_id" "$token_id" "$(b64 <"$work/token.pub")"
  printf '"proof":"%s"},"machinePublicKey":"%s",' "$proof" "$(b64 <"$work/machine.pub")"
  printf '"hostname":"shell","machineName":"shell-runner"}'
} >"$work/body"
call "$work/machine.pem" "key:$(b64url <"$work/machine.pub")" \
  sallyport.identity.v1.EnrollmentService/Enroll
machine_id=$(field machineId)

printf '{"secretIds":["%s"],"allOrNothing":true}' "$1" >"$work/body"
call "$work/machine.pem" "$machine_id" sallyport.gateway.v1.ReadService/ReadSecrets
field value | openssl base64 -d -A
