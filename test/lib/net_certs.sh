#!/bin/sh
# Makes net_certs.c: the certificates and keys of the network tests. They are kept in the tree so that
# tests need no openssl and no clock; run this only to add one.
#
#   test/lib/net_certs.sh > test/lib/net_certs.c
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec 3>&1 1>&2

# Valid from, until: "now" of the tests is 2025-06-01 (NET_NOW_S in net_certs.h).
good="20240101000000Z 20340101000000Z"
past="20200101000000Z 20240102000000Z"
future="20400101000000Z 20410101000000Z"

cat > ca.cnf <<'END'
[ca]
default_ca = any
[any]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = none
[anything]
commonName = optional
organizationName = optional
[req]
distinguished_name = dn
[dn]
END

key() { # NAME KIND
    case $2 in
    ec) openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" ;;
    ec384) openssl ecparam -name secp384r1 -genkey -noout -out "$1.key" ;;
    rsa) openssl genrsa -traditional -out "$1.key" 2048 ;;
    ed) openssl genpkey -algorithm ed25519 -out "$1.key" ;;
    esac
}

# cert NAME KIND SUBJECT SIGNER VALIDITY EXTENSIONS [MORE OPTIONS]; SIGNER "self" for roots.
cert() {
    name=$1 subject=$3 signer=$4 validity=$5 extensions=$6
    key "$name" "$2"
    shift 6
    openssl req -new -config ca.cnf -key "$name.key" -subj "$subject" -out "$name.csr"
    printf '[ext]\n%b\n' "$extensions" > "$name.ext"
    : > index
    openssl rand -hex 8 > serial
    sign="-cert $signer.crt -keyfile $signer.key"
    [ "$signer" = self ] && sign="-selfsign -keyfile $name.key"
    # shellcheck disable=SC2086  # several words
    set -- $sign "$@"
    openssl ca -batch -notext -config ca.cnf -in "$name.csr" -out "$name.crt" -extfile "$name.ext" \
        -extensions ext -startdate "${validity% *}" -enddate "${validity#* }" "$@"
}

ca='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign'
server='keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName='
client='keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth'
names='DNS:kubernetes,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:2001:db8::1'

cert ca ec /CN=kubernetes self "$good" "$ca"
cert ca_rsa rsa "/O=Test/CN=rsa root" self "$good" "$ca"
cert ca_twin ec /CN=kubernetes self "$good" "$ca"
cert ca_ed ed "/CN=ed25519 root" self "$good" "$ca" -md null
cert middle ec /CN=intermediate ca "$good" "$ca"
cert middle_old ec "/CN=old intermediate" ca "$past" "$ca"
cert middle_client ec "/CN=clients only" ca "$good" "$ca\nextendedKeyUsage=clientAuth"
cert middle_fake ec "/CN=not a ca" ca "$good" "basicConstraints=critical,CA:FALSE"

cert server_ec ec /CN=kube-apiserver ca "$good" "$server$names"
cert server_rsa rsa /CN=kube-apiserver ca_rsa "$good" "$server$names"
cert server_ec384 ec384 /CN=kube-apiserver ca_rsa "$good" "$server$names"
cert server_wild ec /CN=wild.example.com ca "$good" "${server}DNS:*.example.com,DNS:*.com,DNS:f*o.example.org,DNS:*"
cert server_expired ec /CN=kube-apiserver ca "$past" "$server$names"
cert server_future ec /CN=kube-apiserver ca "$future" "$server$names"
cert server_purpose ec /CN=kube-apiserver ca "$good" "$client\nsubjectAltName=$names"
cert server_any ec /CN=kube-apiserver ca "$good" "subjectAltName=$names\nextendedKeyUsage=anyExtendedKeyUsage"
cert server_plain ec /CN=kube-apiserver ca "$good" "subjectAltName=$names"
cert server_usage ec /CN=kube-apiserver ca "$good" "subjectAltName=$names\nkeyUsage=critical,keyAgreement"
cert server_cn ec /CN=legacy.example.com ca "$good" "basicConstraints=CA:FALSE"
cert server_mail ec /CN=legacy.example.com ca "$good" "subjectAltName=email:a@example.com"
cert server_critical ec /CN=kube-apiserver ca "$good" "subjectAltName=$names\n1.2.3.4=critical,ASN1:NULL"
cert server_many ec /CN=kube-apiserver ca "$good" "${server}$(seq -f DNS:host-%g.some-rather-long-domain.example.com -s, 1 250)"
cert server_chain ec /CN=kube-apiserver middle "$good" "$server$names"
cert server_chain_old ec /CN=kube-apiserver middle_old "$good" "$server$names"
cert server_chain_client ec /CN=kube-apiserver middle_client "$good" "$server$names"
cert server_chain_fake ec /CN=kube-apiserver middle_fake "$good" "$server$names"
cert server_self ec /CN=selfmade self "$good" "$server$names"
cert server_pss ec /CN=kube-apiserver ca_rsa "$good" "$server$names" -sigopt rsa_padding_mode:pss
cert server_sha1 ec /CN=kube-apiserver ca_rsa "$good" "$server$names" -md sha1
cert server_ed ed /CN=kube-apiserver ca "$good" "$server$names"

cert client_ec ec /O=system:masters/CN=kubernetes-admin ca "$good" "$client"
cert client_rsa rsa "/O=one/O=two/CN=system:node:worker" ca_rsa "$good" "$client"
cert client_expired ec /CN=late ca "$past" "$client"
cert client_purpose ec /CN=wrong ca "$good" "extendedKeyUsage=serverAuth"

# Other spellings of keys.
openssl pkcs8 -topk8 -nocrypt -in client_ec.key -out client_ec.pk8
openssl pkcs8 -topk8 -nocrypt -in client_rsa.key -out client_rsa.pk8
openssl pkcs8 -topk8 -passout pass:secret -in client_ec.key -out client_ec.locked
openssl ec -aes128 -passout pass:secret -in client_ec.key -out client_ec.locked_old
{ openssl ecparam -name prime256v1; cat client_ec.key; } > client_ec.params

exec 1>&3
echo '/* Made by net_certs.sh; see net_certs.h. */'
echo '#include "net_certs.h"'
echo
echo '#include <string.h>'
echo
echo 'static const struct { const char *name, *pem; } files[] = {'
for file in *.crt *.key *.pk8 *.locked *.locked_old *.params; do
    case $file in ca_twin.key | ca_ed.key | middle*.key | server_sha1.key | server_pss.key) continue ;; esac
    printf '    {"%s",\n' "$file"
    sed 's/.*/     "&\\n"/' "$file"
    printf '    },\n'
done
cat <<'END'
};

const char *net_cert(const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(files[i].name, name) == 0) {
            return files[i].pem;
        }
    }
    return NULL;
}
END
