# Mail over the mesh, for GNU mail. Another name or address: change the answers file, run dexsetup again.
set sendmail=smtp://localhost:25
set return-address="carol@[IPv6:fc9a:0:0:1234::7]"
