%% sctp_echo: an echo server on one gen_sctp socket, in the three ways in which Erlang programs
%% take messages. It knows nothing of sctpeel. Standard output says what happens to associations.
-module(sctp_echo).
-export([main/1]).
-include_lib("kernel/include/inet_sctp.hrl").

main([Port, Way]) ->
    Active = case Way of
                 "active" -> true;
                 "once" -> once;
                 "passive" -> false
             end,
    {ok, Socket} = gen_sctp:open(list_to_integer(Port),
                                 [binary, {active, Active}, {sctp_nodelay, true},
                                  {buffer, 131072}, {recbuf, 106496}, {sndbuf, 106496}]),
    ok = gen_sctp:listen(Socket, true),
    io:format("ready~n"),
    loop(Socket, Active).

loop(Socket, Active) ->
    {Info, Data} = take(Socket, Active),
    handle(Socket, Info, Data),
    loop(Socket, Active).

take(Socket, false) ->
    {ok, {_Address, _Port, Info, Data}} = gen_sctp:recv(Socket),
    {Info, Data};
take(Socket, Active) ->
    receive
        {sctp, Socket, _Address, _Port, {Info, Data}} when Active =:= true ->
            {Info, Data};
        {sctp, Socket, _Address, _Port, {Info, Data}} ->
            ok = inet:setopts(Socket, [{active, once}]),
            {Info, Data};
        Other ->
            io:format("unexpected ~p~n", [Other]),
            take(Socket, Active)
    end.

handle(Socket, [#sctp_sndrcvinfo{assoc_id = Id, stream = Stream, ppid = Ppid}], Data)
  when is_binary(Data) ->
    Info = #sctp_sndrcvinfo{assoc_id = Id, stream = Stream, ppid = Ppid},
    send(Socket, Info, Data);
handle(_Socket, _Info, #sctp_assoc_change{state = State, assoc_id = Id}) ->
    io:format("~s ~p~n", [State, Id]);
handle(_Socket, _Info, #sctp_shutdown_event{}) ->
    ok;
handle(_Socket, _Info, #sctp_paddr_change{}) ->
    ok;
handle(_Socket, Info, Data) ->
    io:format("unexpected ~p ~p~n", [Info, Data]).

send(Socket, Info, Data) ->
    case gen_sctp:send(Socket, Info, Data) of
        ok ->
            ok;
        {error, eagain} ->
            timer:sleep(1),
            send(Socket, Info, Data);
        {error, Reason} ->
            io:format("send: ~p~n", [Reason])
    end.
