%% sctp_echo: an echo server on one gen_sctp socket, in the ways in which Erlang programs take
%% messages, or on one of the socket module. It knows nothing of sctpeel. Standard output says what
%% happens to associations.
-module(sctp_echo).
-export([main/1]).
-include_lib("kernel/include/inet_sctp.hrl").

%% so many messages until the socket is passive again
-define(SOME, 10).

main([Port, "socket"]) ->
    {ok, Socket} = socket:open(inet, seqpacket, sctp),
    ok = socket:bind(Socket, #{family => inet, addr => loopback, port => list_to_integer(Port)}),
    ok = socket:setopt(Socket, {sctp, events}, subscription()),
    ok = socket:listen(Socket, 100),
    io:format("ready~n"),
    echo(Socket, #{});
main([Port, Way]) ->
    Active = case Way of
                 "active" -> true;
                 "once" -> once;
                 "some" -> ?SOME;
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
        {sctp, Socket, _Address, _Port, {Info, Data}} when Active =/= once ->
            {Info, Data};
        {sctp_passive, Socket} when Active =:= ?SOME ->
            ok = inet:setopts(Socket, [{active, ?SOME}]),
            take(Socket, Active);
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

%% It makes no ancillary data for SCTP, so an answer goes to the address that asked. The flag of a
%% notification has the value of MSG_MORE.
echo(Socket, Parts) ->
    {ok, #{addr := From, flags := Flags, iov := [Data]}} = socket:recvmsg(Socket, 65536, 0),
    case {lists:member(more, Flags), lists:member(eor, Flags)} of
        {true, _} ->
            notice(Data),
            echo(Socket, Parts);
        {false, false} ->
            echo(Socket, Parts#{From => [maps:get(From, Parts, []), Data]});
        {false, true} ->
            Message = iolist_to_binary([maps:get(From, Parts, []), Data]),
            ok = socket:sendmsg(Socket, #{addr => From, iov => [Message]}),
            echo(Socket, maps:remove(From, Parts))
    end.

%% SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT
notice(<<16#8001:16/native, _:48, State:16/native, _:48, Id:32/native, _/binary>>) ->
    io:format("~s ~p~n", [element(State + 1, {comm_up, comm_lost, restart, shutdown_comp, failed}), Id]);
notice(<<16#8005:16/native, _/binary>>) ->
    ok;
notice(Data) ->
    io:format("unexpected ~p~n", [Data]).

subscription() ->
    maps:merge(maps:from_keys([address, send_failure, peer_error, partial_delivery, adaptation_layer,
                               authentication, sender_dry], false),
               maps:from_keys([data_io, association, shutdown], true)).
