using Akka.Actor;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Rcmp.Tests.Samples;

/// <summary>An actor that keeps its words in the pool, in an actor system of the application's own: <c>WithRcmpClient</c> connects there, <c>AddRcmpClientOfAkka</c> has the pool injected.</summary>
internal static class AkkaSample
{
    /// <param name="rack">Host and port of the rack daemon on this machine, as in <c>rcmp.client.rack</c>.</param>
    /// <returns>What the actor answered.</returns>
    public static async Task<string> RunAsync(string rack)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddAkka("app", akka => akka
            .WithRemoting("127.0.0.1", 0)
            .WithRcmpClient(options => options.Rack = rack));
        builder.Services.AddRcmpClientOfAkka();
        builder.Services.AddSingleton<Words>();
        using var host = builder.Build();
        await host.StartAsync();
        var answer = await host.Services.GetRequiredService<Words>().KeepAsync("pooled");
        await host.StopAsync();
        return answer;
    }

    private sealed class Words(ActorSystem system, IMemoryPool pool)
    {
        private readonly IActorRef _keeper = system.ActorOf(Props.Create(() => new Keeper(pool)));

        public Task<string> KeepAsync(string words) => _keeper.Ask<string>(words, TimeSpan.FromSeconds(30));
    }

    private sealed class Keeper : ReceiveActor
    {
        public Keeper(IMemoryPool pool)
        {
            ReceiveAsync<string>(async text =>
            {
                // An actor must not block: the asynchronous forms complete at once on a rack hit.
                var address = await pool.AllocateAsync(text.Length);
                await pool.WriteAsync(address, System.Text.Encoding.ASCII.GetBytes(text));
                var back = new byte[text.Length];
                await pool.ReadAsync(address, back);
                await pool.FreeAsync(address);
                Sender.Tell(System.Text.Encoding.ASCII.GetString(back));
            });
        }
    }
}
