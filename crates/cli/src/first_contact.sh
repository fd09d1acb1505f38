CONTACT=$(curl -s '@URL@/api/contacts/add.json?auth-userid=@USERNAME@&api-key=@PASSWORD@&customer-id=@CUSTOMER@' \
  -d 'type=Contact&name=Sam+Shop&company=Shop+Ltd&email=sam%40shop.example&address-line-1=1+High+Street' \
  -d 'city=London&country=GB&zipcode=SW1A+1AA&phone-cc=44&phone=2079460000')
curl -s "@URL@/api/contacts/details.json?auth-userid=@USERNAME@&api-key=@PASSWORD@&contact-id=$CONTACT"
