#!/bin/sh
# ltijs 5.9.9: an id_token that is valid for an hour is refused eleven seconds after it was made.
#
# Valid input: a signed id_token with all claims of a resource link launch, iat 15 s ago, exp in an
# hour. LTI 1.3 Security (1EdTech Security Framework 1.0, 5.1.3) lets a tool bound the age by iat,
# but names no number; platforms whose clock is 15 s behind, or whose form waits that long on a slow
# phone, send such tokens.
# Seen: TOKEN_TOO_OLD, as the option tokenMaxAge is 10 where it is not set; iat 5 s ago is taken.
# Expected: taken, as exp is far away.
# The script ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund ltijs@5.9.9 jsonwebtoken@9.0.2 >/dev/null
cat > try.js <<'JS'
const { generateKeyPairSync } = require('crypto')
const jwt = require('jsonwebtoken')
const Auth = require('ltijs/dist/Utils/Auth')
const fs = require('fs')

const provider = require.resolve('ltijs/dist/Provider/Provider')
const maxAge = Number(/_tokenMaxAge, (\d+)\)/.exec(fs.readFileSync(provider, 'utf8'))[1])
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = publicKey.export({ type: 'spki', format: 'pem' })
const claim = name => 'https://purl.imsglobal.org/spec/lti/claim/' + name
const platform = { platformClientId: async () => 'client', platformKid: async () => 'kid' }
const nothing = { Get: async () => false, Insert: async () => true }

async function told (seconds) {
  const now = Math.floor(Date.now() / 1000)
  const token = jwt.sign({
    iss: 'https://lms.example.edu', aud: 'client', sub: 'user', nonce: 'n' + seconds,
    iat: now - seconds, exp: now + 3600,
    [claim('message_type')]: 'LtiResourceLinkRequest', [claim('version')]: '1.3.0',
    [claim('deployment_id')]: '1', [claim('target_link_uri')]: 'https://tool.example.edu/',
    [claim('resource_link')]: { id: 'link' }, [claim('roles')]: []
  }, privateKey, { algorithm: 'RS256' })
  try {
    await Auth.verifyToken(token, pem, { alg: 'RS256', maxAge }, platform, nothing)
    return 'taken'
  } catch (error) {
    return error.message
  }
}

(async () => {
  const found = [await told(5), await told(15)]
  console.log(`ltijs 5.9.9, tokenMaxAge ${maxAge}: 5 s old: ${found[0]}, 15 s old: ${found[1]}`)
  process.exit(found[0] === 'taken' && found[1] === 'TOKEN_TOO_OLD' ? 0 : 1)
})()
JS
node try.js
