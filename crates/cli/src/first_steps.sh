cd "$(mktemp -d)"
API=@URL@
json() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
TOKEN=$(curl -s $API/reseller/v2/api-user/token -H 'Content-Type: application/json' \
  -d '{"username":"@USERNAME@","password":"@PASSWORD@"}' | json access_token)
call() { curl -s -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@"; }
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -subj /CN=shop.example -keyout shop.key -out shop.csr 2>/dev/null
ADMIN=$(call $API/ssl/v2/contact/create -d '{"administrator":{"company":"Shop Ltd","firstName":"Sam",
  "lastName":"Shop","address1":"1 High Street","city":"Kuala Lumpur","state":"Selangor","countryCode":"MY",
  "zip":"57100","phoneNumber":"+60.6506503","email":"sam@shop.example"}}' | json contactId)
call $API/ssl/v2/orders/new -d '{"productKey":"ssl123","term":1,"authType":"dns",
  "administratorContactId":"'$ADMIN'","csr":"'"$(awk '{printf "%s\\n", $0}' shop.csr)"'"}' > order.json
ORDER=$(json orderId < order.json); HOST=$(json host < order.json); VALUE=$(json value < order.json)
curl -s -X PUT $API/ote/dns/$HOST/TXT -d '{"values":["'$VALUE'"],"ttl":60}'; echo
curl -s -X POST $API/ote/clock -d '{"advance_seconds":10}'; echo
call $API/ssl/v2/orders/$ORDER/dcv-status; echo
curl -s -X POST $API/ote/jobs/run; echo
call $API/ssl/v2/orders/$ORDER/dcv-status; echo
curl -s -H "Authorization: Bearer $TOKEN" -F bundle=true -o shop.pem \
  $API/ssl/v2/orders/$ORDER/download/format/PEM
curl -s $API/pki/root.crt | openssl x509 -inform DER -out root.pem
openssl verify -CAfile root.pem -untrusted shop.pem -verify_hostname shop.example shop.pem
