%% diameter_node: Erlang's diameter application over SCTP, as a server or as its clients. It knows
%% nothing of sctpeel: that diameter peels each association off is its own affair.
%%
%%   server PORT             answers every request; says when peers come and go
%%   client PORT PEERS MESSAGES COMMAND
%%                           PEERS connections, which send about MESSAGES requests in all, most of
%%                           them the first; then runs COMMAND and disconnects. Says what is wrong,
%%                           and ends with 1 then
-module(diameter_node).
-export([main/1]).
-export([peer_up/3, peer_down/3, pick_peer/5, prepare_request/4, handle_answer/5, handle_error/5,
         handle_request/3]).

%% diameter.hrl is in a package of its own; these are its records, as far as they are needed here
-define(EVENT(Info), {diameter_event, ?MODULE, Info}).
-define(PACKET(Message, Errors), {diameter_packet, _, _, Message, _, Errors, _}).
-define(ORIGIN_HOST(Caps), element(2, Caps)).
-define(ORIGIN_REALM(Caps), element(3, Caps)).

%% so many requests of the first peer are under way at once
-define(AT_ONCE, 16).

main(["server", Port]) ->
    start("server"),
    transport(listen, [{port, list_to_integer(Port)} | address(ip)]),
    io:format("ready~n"),
    report();
main(["client", Port, Peers, Messages, Command]) ->
    Count = list_to_integer(Peers),
    start("client"),
    [transport(connect, [{rport, list_to_integer(Port)}] ++ address(raddr) ++ address(ip))
     || _ <- lists:seq(1, Count)],
    [receive ?EVENT(Up) when element(1, Up) =:= up -> ok end
     || _ <- lists:seq(1, Count)],
    Share = list_to_integer(Messages) div (2 * Count),
    Workers = [{1, Share * Count div ?AT_ONCE} || _ <- lists:seq(1, ?AT_ONCE)]
        ++ [{Peer, Share} || Peer <- lists:seq(2, Count)],
    Running = [spawn_monitor(fun () -> ask(Peer, Requests) end) || {Peer, Requests} <- Workers],
    Failed = [Reason || {Pid, _} <- Running,
                        Reason <- [receive {'DOWN', _, process, Pid, Why} -> Why end],
                        Reason =/= normal],
    [io:format("failed: ~p~n", [Reason]) || Reason <- Failed],
    os:cmd(Command),
    ok = diameter:stop_service(?MODULE),
    ok = diameter:stop(),
    halt(length(Failed), [{flush, true}]).

start(Host) ->
    ok = diameter:start(),
    true = diameter:subscribe(?MODULE),
    ok = diameter:start_service(?MODULE, [{'Origin-Host', Host ++ ".example"},
                                          {'Origin-Realm', "example"},
                                          {'Vendor-Id', 0},
                                          {'Product-Name', "test"},
                                          {'Auth-Application-Id', [0]},
                                          {restrict_connections, false},
                                          {decode_format, map},
                                          {application, [{alias, common},
                                                         {dictionary, diameter_gen_base_rfc6733},
                                                         {module, ?MODULE}]}]).

%% With gen_sctp's own receive buffer small messages are lost and sent again.
transport(Way, Addresses) ->
    Buffers = [{recbuf, 106496}, {sndbuf, 106496}],
    {ok, _} = diameter:add_transport(?MODULE, {Way, [{transport_module, diameter_sctp},
                                                     {transport_config, [{sctp_nodelay, true}
                                                                         | Buffers ++ Addresses]}]}).

address(Name) ->
    [{Name, {127, 0, 0, 1}}].

report() ->
    receive
        ?EVENT(start) -> ok;
        ?EVENT(Info) when element(1, Info) =:= up; element(1, Info) =:= down ->
            io:format("~p~n", [element(1, Info)]);
        ?EVENT({watchdog, _, _, _, _}) -> ok;
        ?EVENT({closed, _, _, _}) -> ok;
        Other -> io:format("unexpected ~p~n", [Other])
    end,
    report().

%% Each answer has to be that to the request, and comes before the next request is sent.
ask(Peer, Requests) ->
    [begin
         Session = lists:flatten(io_lib:format("~p;~p;~p", [Peer, self(), N])),
         Request = ['RAR' | #{'Session-Id' => Session, 'Auth-Application-Id' => 0,
                              'Re-Auth-Request-Type' => 0}],
         {Peer, ['RAA' | #{'Session-Id' := Session, 'Result-Code' := 2001}]} =
             diameter:call(?MODULE, common, Request, [{extra, [Peer]}, {timeout, 60000}])
     end || N <- lists:seq(1, Requests)].

peer_up(_Service, _Peer, State) ->
    State.

peer_down(_Service, _Peer, State) ->
    State.

pick_peer(Candidates, _Remote, _Service, _State, Peer) ->
    {ok, lists:nth(Peer, lists:sort(Candidates))}.

prepare_request(?PACKET([Name | Values], _), _Service, {_, Caps}, _Peer) ->
    {Host, ToHost} = ?ORIGIN_HOST(Caps),
    {Realm, ToRealm} = ?ORIGIN_REALM(Caps),
    {send, [Name | Values#{'Origin-Host' => Host, 'Origin-Realm' => Realm,
                           'Destination-Host' => ToHost, 'Destination-Realm' => ToRealm}]}.

handle_answer(?PACKET(Answer, []), _Request, _Service, _Ref, Peer) ->
    {Peer, Answer}.

handle_error(Reason, _Request, _Service, _Ref, _Peer) ->
    {error, Reason}.

handle_request(?PACKET(['RAR' | #{'Session-Id' := Session}], []), _Service, {_, Caps}) ->
    {Host, _} = ?ORIGIN_HOST(Caps),
    {Realm, _} = ?ORIGIN_REALM(Caps),
    {reply, ['RAA' | #{'Session-Id' => Session, 'Result-Code' => 2001, 'Origin-Host' => Host,
                       'Origin-Realm' => Realm}]}.
