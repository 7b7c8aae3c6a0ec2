(()=>{var v=Symbol.for("RemoteUi::Retain"),H=Symbol.for("RemoteUi::Release");function U(e){return!!(e&&e[v]&&e[H])}function A(e,{deep:t=!0}={}){return F(e,t,new Map)}function F(e,t,n){let o=n.get(e);if(o!=null)return o;let r=U(e);if(r&&e[v](),n.set(e,r),t){if(Array.isArray(e)){let i=e.reduce((s,c)=>F(c,t,n)||s,r);return n.set(e,i),i}if(K(e)){let i=Object.keys(e).reduce((s,c)=>F(e[c],t,n)||s,r);return n.set(e,i),i}}return n.set(e,r),r}function j(e,{deep:t=!0}={}){return L(e,t,new Map)}function L(e,t,n){let o=n.get(e);if(o!=null)return o;let r=U(e);if(r&&e[H](),n.set(e,r),t){if(Array.isArray(e)){let i=e.reduce((s,c)=>L(c,t,n)||s,r);return n.set(e,i),i}if(K(e)){let i=Object.keys(e).reduce((s,c)=>L(e[c],t,n)||s,r);return n.set(e,i),i}}return r}function K(e){if(e==null||typeof e!="object")return!1;let t=Object.getPrototypeOf(e);return t==null||t===Object.prototype}function O(e){return e!=null&&e.kind===3}var _="__current",G={},Se=[];function Q(e,{strict:t=!0,components:n}={}){let o=0,r={strict:t,mounted:!1,channel:e,children:Se,nodes:new WeakSet,parents:new WeakMap,tops:new WeakMap,components:new WeakMap,fragments:new WeakMap};t&&Object.freeze(n);let i={kind:0,options:t?Object.freeze({strict:t,components:n}):{strict:t,components:n},get children(){return r.children},createComponent(s,...c){if(n&&n.indexOf(s)<0)throw new Error(`Unsupported component: ${s}`);let[u,p,...m]=c,h=u??{},b=[],a={};if(u)for(let g of Object.keys(u))g!=="children"&&(a[g]=T(de(u[g])));if(p)if(Array.isArray(p))for(let g of p)b.push(E(g,i));else{b.push(E(p,i));for(let g of m)b.push(E(g,i))}let d=`${o++}`,f={externalProps:t?Object.freeze(h):h,internalProps:a,children:t?Object.freeze(b):b},l={kind:1,get children(){return f.children},get props(){return f.externalProps},get remoteProps(){return f.internalProps},updateProps:g=>je(l,g,f,r),appendChild:g=>W(l,E(g,i),f,r),removeChild:g=>Y(l,g,f,r),insertChildBefore:(g,x)=>X(l,E(g,i),x,f,r),...G};r.components.set(l,f),Object.defineProperty(l,"type",{value:s,configurable:!1,writable:!1,enumerable:!0}),J(l,r),q(l,d,i);for(let g of f.children)S(l,g,r);return l},createText(s=""){let c=`${o++}`,u={text:s},p={kind:2,get text(){return u.text},updateText:m=>De(p,m,u,r),...G};return J(p,r),q(p,c,i),p},createFragment(){let s=`${o++}`,c={children:t?Object.freeze([]):[]},u={kind:3,get children(){return c.children},appendChild:p=>W(u,E(p,i),c,r),removeChild:p=>Y(u,p,c,r),insertChildBefore:(p,m)=>X(u,E(p,i),m,c,r),...G};return r.fragments.set(u,c),J(u,r),q(u,s,i),u},appendChild:s=>W(i,E(s,i),r,r),removeChild:s=>Y(i,s,r,r),insertChildBefore:(s,c)=>X(i,E(s,i),c,r,r),mount(){return r.mounted?Promise.resolve():(r.mounted=!0,Promise.resolve(e(0,r.children.map(M))))}};return i}function Me(e,{tops:t}){var n;return((n=t.get(e))===null||n===void 0?void 0:n.kind)===0}function pe(e,t){let n=o=>{if("children"in o)for(let r of o.children)t(r),n(r)};n(e)}function I(e,t,{remote:n,local:o}){let{mounted:r,channel:i}=t;r&&(e.kind===0||Me(e,t))&&n(i),o()}function De(e,t,n,o){return I(e,o,{remote:r=>r(3,e.id,t),local:()=>{n.text=t}})}var k=Symbol("ignore");function je(e,t,n,o){let{strict:r}=o,{internalProps:i,externalProps:s}=n,c={},u=[],p=!1;for(let m of Object.keys(t)){if(m==="children")continue;let h=s[m],b=t[m],a=i[m],d=de(b);if(a===d&&(d==null||typeof d!="object"))continue;let[f,l]=Z(a,d);l&&u.push(...l),f!==k&&(p=!0,c[m]=f,O(h)&&V(h,o),O(b)&&S(e,b,o))}return I(e,o,{remote:m=>{p&&m(4,e.id,c)},local:()=>{let m={...s,...t};n.externalProps=r?Object.freeze(m):m,n.internalProps={...n.internalProps,...c};for(let[h,b]of u)h[_]=b}})}function Z(e,t){return typeof e=="function"&&_ in e?[typeof t=="function"?k:T(t),[[e,t]]]:Array.isArray(e)?ve(e,t):typeof e=="object"&&e!=null&&!O(e)?ze(e,t):[e===t?k:t]}function T(e){if(O(e))return e;if(typeof e=="function"){let t=(...n)=>t[_](...n);return Object.defineProperty(t,_,{enumerable:!1,configurable:!1,writable:!0,value:e}),t}else{if(Array.isArray(e))return e.map(T);if(typeof e=="object"&&e!=null)return Object.keys(e).reduce((t,n)=>(t[n]=T(e[n]),t),{})}return e}function R(e){if(typeof e=="function"){if(_ in e)return[e]}else{if(Array.isArray(e))return e.reduce((t,n)=>{let o=R(n);return o?[...t,...o]:t},[]);if(typeof e=="object"&&e!=null)return Object.keys(e).reduce((t,n)=>{let o=R(e[n]);return o?[...t,...o]:t},[])}}function W(e,t,n,o){var r;let{nodes:i,strict:s}=o;if(!i.has(t))throw new Error("Cannot append a node that was not created by this remote root");let c=t.parent,u=(r=c?.children.indexOf(t))!==null&&r!==void 0?r:-1;return I(e,o,{remote:p=>{p(1,e.id,u<0?e.children.length:e.children.length-1,M(t),c?c.id:!1)},local:()=>{S(e,t,o);let p;if(c){let m=fe(c,o),h=[...m.children];h.splice(u,1),c===e?p=h:(m.children=s?Object.freeze(h):h,p=[...n.children])}else p=[...n.children];p.push(t),n.children=s?Object.freeze(p):p}})}function Y(e,t,n,o){let{strict:r}=o;return I(e,o,{remote:i=>i(2,e.id,e.children.indexOf(t)),local:()=>{V(t,o);let i=[...n.children];i.splice(i.indexOf(t),1),n.children=r?Object.freeze(i):i}})}function X(e,t,n,o,r){var i;let{strict:s,nodes:c}=r;if(!c.has(t))throw new Error("Cannot insert a node that was not created by this remote root");let u=t.parent,p=(i=u?.children.indexOf(t))!==null&&i!==void 0?i:-1;return I(e,r,{remote:m=>{let h=e.children.indexOf(n);m(1,e.id,h<p||p<0?h:h-1,M(t),u?u.id:!1)},local:()=>{S(e,t,r);let m;if(u){let h=fe(u,r),b=[...h.children];b.splice(p,1),u===e?m=b:(h.children=s?Object.freeze(b):b,m=[...o.children])}else m=[...o.children];m.splice(m.indexOf(n),0,t),o.children=s?Object.freeze(m):m}})}function E(e,t){return typeof e=="string"?t.createText(e):e}function S(e,t,n){let{tops:o,parents:r}=n,i=e.kind===0?e:o.get(e);o.set(t,i),r.set(t,e),se(t,n),pe(t,s=>{o.set(s,i),se(s,n)})}function se(e,t){if(e.kind!==1)return;let n=e.props;n&&Object.values(n).forEach(o=>{O(o)&&S(e,o,t)})}function V(e,t){let{tops:n,parents:o}=t;n.delete(e),o.delete(e),pe(e,r=>{n.delete(r),ae(r,t)}),ae(e,t)}function ae(e,t){if(e.kind!==1)return;let n=e.remoteProps;for(let o of Object.keys(n??{})){let r=n[o];O(r)&&V(r,t)}}function J(e,{parents:t,tops:n,nodes:o}){o.add(e),Object.defineProperty(e,"parent",{get(){return t.get(e)},configurable:!0,enumerable:!0}),Object.defineProperty(e,"top",{get(){return n.get(e)},configurable:!0,enumerable:!0})}function M(e){return e.kind===2?{id:e.id,kind:e.kind,text:e.text}:{id:e.id,kind:e.kind,type:e.type,props:e.remoteProps,children:e.children.map(t=>M(t))}}function de(e){return O(e)?Be(e):e}function Be(e){return{id:e.id,kind:e.kind,get children(){return e.children.map(t=>M(t))}}}function fe(e,t){return e.kind===0?t:e.kind===3?t.fragments.get(e):t.components.get(e)}function q(e,t,n){Object.defineProperty(e,"id",{value:t,configurable:!0,writable:!1,enumerable:!1}),Object.defineProperty(e,"root",{value:n,configurable:!0,writable:!1,enumerable:!1})}function ze(e,t){if(typeof t!="object"||t==null){var n;return[T(t),(n=R(e))===null||n===void 0?void 0:n.map(s=>[s,void 0])]}let o=!1,r=[],i={};for(let s in e){let c=e[s];if(!(s in t)){o=!0;let h=R(c);h&&r.push(...h.map(b=>[b,void 0]))}let u=t[s],[p,m]=Z(c,u);m&&r.push(...m),p!==k&&(o=!0,i[s]=p)}for(let s in t)s in i||(o=!0,i[s]=T(t[s]));return[o?i:k,r]}function ve(e,t){if(!Array.isArray(t)){var n;return[T(t),(n=R(e))===null||n===void 0?void 0:n.map(p=>[p,void 0])]}let o=!1,r=[],i=t.length,s=e.length,c=Math.max(s,i),u=[];for(let p=0;p<c;p++){let m=e[p],h=t[p];if(p<i){if(p>=s){o=!0,u[p]=T(h);continue}let[b,a]=Z(m,h);if(a&&r.push(...a),b===k){u[p]=m;continue}o=!0,u[p]=b}else{o=!0;let b=R(m);b&&r.push(...b.map(a=>[a,void 0]))}}return[o?u:k,r]}var N=Symbol("RootId");function ue({mount:e,insertChild:t,removeChild:n,updateProps:o,updateText:r}){let i=new Map([[0,e],[2,n],[1,t],[4,o],[3,r]]);return(s,...c)=>i.get(s)(...c)}function te(){let e=new Set,t=new Map,n=new Map,o=null,r="unmounted",i={id:N,kind:0,children:[],version:0},s=new Map([[N,i]]),c=ue({mount:a=>{let d=s.get(N),f=a.map(l=>D(l,ee));d.version+=1,d.children=f,r="mounted";for(let l of f)A(l),h(l);m(d).then(()=>{p("mount")})},insertChild:(a,d,f,l)=>{let g=s.get(a??N),{children:x}=g,y,C;if(a===l?y=g:l!==!1&&(y=s.get(l??N)),y){let Te=f.id,ie=y.children,ke=ie.findIndex(we=>we.id===Te),[Re]=ie.splice(ke,1);C=Re,a!==l&&(y.version+=1,m(y))}else C=D(f,ee),A(C),h(C);d===x.length?x.push(C):x.splice(d,0,C),g.version+=1,m(g)},removeChild:(a,d)=>{let f=s.get(a??N),{children:l}=f,[g]=l.splice(d,1);f.version+=1,b(g),m(f).then(()=>{j(g)})},updateProps:(a,d)=>{let f=s.get(a),l={...f.props};A(d),Object.keys(d).forEach(g=>{let x=d[g],y=l[g];if(B(y)&&b(y),z(x)){let C=D(x,ee);h(C)}}),Object.assign(f.props,d),f.version+=1,m(f).then(()=>{for(let g of Object.keys(d))j(l[g])})},updateText:(a,d)=>{let f=s.get(a);f.text=d,f.version+=1,m(f)}});return{get state(){return r},receive:c,attached:{root:i,get({id:a}){var d;return(d=s.get(a))!==null&&d!==void 0?d:null},subscribe({id:a},d){let f=n.get(a);return f==null&&(f=new Set,n.set(a,f)),f.add(d),()=>{let l=n.get(a);l&&(l.delete(d),l.size===0&&n.delete(a))}}},flush:u,on(a,d){let f=t.get(a);return f==null&&(f=new Set,t.set(a,f)),f.add(d),()=>{let l=t.get(a);l&&(l.delete(d),l.size===0&&t.delete(a))}}};function u(){var a;return(a=o)!==null&&a!==void 0?a:Promise.resolve()}function p(a){let d=t.get(a);if(d)for(let f of d)f()}function m(a){var d;return o=(d=o)!==null&&d!==void 0?d:new Promise(f=>{setTimeout(()=>{let l=[...e];o=null,e.clear();for(let g of l){let x=n.get(g.id);if(x)for(let y of x)y(g)}f()},0)}),e.add(a),o}function h(a){if(s.set(a.id,a),a.kind===1&&"props"in a){let{props:d={}}=a;Object.keys(d).forEach(f=>{let l=d[f];B(l)&&h(l)})}if("children"in a)for(let d of a.children)h(d)}function b(a){if(s.delete(a.id),a.kind===1&&"props"in a){let{props:d={}}=a;Object.keys(d).forEach(f=>{let l=d[f];B(l)&&b(l)})}if("children"in a)for(let d of a.children)b(d)}}function ee(e){return e.version=0,e}function D(e,t){if((e.kind===3||e.kind===1)&&e.children.forEach(n=>D(n,t)),e.kind===1&&"props"in e){let{props:n}=e;for(let o of Object.keys(n)){let r=n[o];z(r)&&(n[o]=D(r,t))}}return t(e)}function z(e){return O(e)&&"id"in e&&"children"in e}function B(e){return z(e)&&"version"in e}var He=()=>{},ne={Banner:{tag:"section",draw:$e},BlockStack:{tag:"div"},Bookend:{tag:"div"},Button:{tag:"button",draw:We},ButtonGroup:{tag:"div"},BuyerConsent:{tag:"label",draw:le},CalloutBanner:{tag:"section",draw:Ge},Checkbox:{tag:"label",draw:le},Heading:{tag:"h2",draw:Ye},HeadingGroup:{tag:"div"},HiddenForAccessibility:{tag:"div",draw:e=>e.setAttribute("aria-hidden","true")},Image:{tag:"img",draw:Xe},InlineStack:{tag:"div"},Layout:{tag:"div",draw:Je},Link:{tag:"a",draw:qe},Separator:{tag:"hr"},Spinner:{tag:"span",draw:e=>e.setAttribute("role","status")},Text:{tag:"span",draw:me},TextBlock:{tag:"p",draw:me},TextContainer:{tag:"div"},Tiles:{tag:"div"},View:{tag:"div"},VisuallyHidden:{tag:"span"}},ge=Object.keys(ne),Fe=["spacing","alignment","size","appearance","status","subdued","emphasized","plain"];function he(e,t){let n=new Map,{attached:o}=t;function r(s){let c=n.get(s.id);if(c)return c;let u="text"in s?document.createTextNode(s.text):Ue(s);return n.set(s.id,u),o.subscribe(s,p=>i(u,p)),i(u,s),u}function i(s,c){if("text"in c){s.data=c.text;return}c.type&&Ke(s,c),Le(s,c.children.map(r))}o.subscribe(o.root,s=>i(e,s)),i(e,o.root)}function Le(e,t){let n=[...e.childNodes].filter(r=>!r.isHostMade);for(let r of n)t.includes(r)||r.remove();let o=[...e.childNodes].findLast(r=>r.isHostMade);for(let r of t){let i=o?o.nextSibling:e.firstChild;r!==i&&e.insertBefore(r,i),o=r}}function Ue(e){let t=document.createElement(ne[e.type].tag);return t.className=`pp pp-${e.type}`,t}function Ke(e,{type:t,props:n}){for(let o of Fe){let r=n[o];r===void 0||r===!1?e.removeAttribute(`data-${o}`):e.setAttribute(`data-${o}`,String(r))}(ne[t].draw??He)(e,n)}function re(e,t,n){let o=[...e.children].find(i=>i.isHostMade&&i.className===n);if(o)return o;let r=Object.assign(document.createElement(t),{className:n,isHostMade:!0});return e.prepend(r),r}function $e(e,{status:t="info",title:n}){e.setAttribute("role",t==="critical"?"alert":"status"),e.dataset.status=t,n&&(re(e,"strong","pp-title").textContent=n)}function Ge(e,{title:t}){t&&(re(e,"h1","pp-title").textContent=t)}function We(e,{onPress:t,disabled:n,loading:o,loadingLabel:r}){e.type="button",e.disabled=!!(n||o),e.setAttribute("aria-busy",String(!!o)),o&&r?e.setAttribute("aria-label",r):e.removeAttribute("aria-label"),e.onclick=()=>t?.()}function le(e,{checked:t,onChange:n,error:o}){let r=re(e,"input","pp-box");r.type="checkbox",r.checked=!!t,r.onchange=()=>n?.(r.checked),r.setAttribute("aria-invalid",String(!!o))}function Ye(e,{level:t=2,role:n}){e.dataset.level=t,n&&e.setAttribute("role",n)}function Xe(e,{source:t,description:n,decorative:o,loading:r,aspectRatio:i,fit:s}){e.src=t,e.alt=o?"":n??"",e.loading=r??"eager",e.style.aspectRatio=i??"1",e.style.objectFit=s??"cover"}function Je(e,{maxInlineSize:t,sizes:n,media:o=[]}){let r=o.find(s=>s.viewportSize==="large")?.sizes??n,i=s=>s==="auto"?"auto":s>1?`${s}px`:"minmax(0, 1fr)";e.style.setProperty("--pp-columns",(r??[1]).map(i).join(" ")),t&&(e.style.maxInlineSize=t<=1?`${t*100}%`:`${t}px`)}function qe(e,{to:t,onPress:n,external:o}){e.href=t??"#",o&&Object.assign(e,{target:"_blank",rel:"noopener"}),e.onclick=()=>n?.()}function me(e,{role:t}){let n=t==="deletion";e.classList.toggle("pp-deleted",n),n&&e.setAttribute("role","deletion")}var be=`#post-purchase {
  color: #202223;
  font:
    16px/1.5 Inter,
    system-ui,
    sans-serif;
  margin: 0 auto;
  max-width: 1080px;
  padding: 16px;
}

#post-purchase .pp {
  box-sizing: border-box;
  margin: 0;
}

.pp-BlockStack,
.pp-TextContainer,
.pp-HeadingGroup {
  display: grid;
  gap: 12px;
  grid-template-columns: minmax(0, 1fr);
}

.pp-BlockStack[data-spacing='xtight'] {
  gap: 6px;
}

.pp-BlockStack[data-spacing='tight'] {
  gap: 10px;
}

.pp-BlockStack[data-spacing='loose'] {
  gap: 24px;
}

.pp-TextContainer {
  gap: 4px;
}

.pp-InlineStack,
.pp-ButtonGroup,
.pp-Bookend {
  align-items: center;
  display: flex;
  flex-wrap: wrap;
  gap: 12px;
}

.pp-Tiles {
  display: grid;
  gap: 12px;
  grid-auto-columns: minmax(0, 1fr);
  grid-auto-flow: column;
}

.pp-TextContainer[data-alignment='trailing'] {
  text-align: end;
}

.pp-Layout {
  display: grid;
  grid-template-columns: var(--pp-columns, 1fr);
  inline-size: 100%;
  margin-inline: auto !important;
}

.pp-CalloutBanner {
  background: #f4f5f6;
  border-block: 1px solid #d9dcdf;
  padding: 18px 16px;
  text-align: center;
}

.pp-CalloutBanner .pp-title {
  font-size: 1.375rem;
  line-height: 1.25;
  margin: 0 0 4px;
}

.pp-Banner {
  background: #f1f8fe;
  border: 1px solid #7fb2dd;
  border-radius: 8px;
  display: grid;
  gap: 4px;
  padding: 12px 16px;
}

.pp-Banner[data-status='critical'] {
  background: #fff1f0;
  border-color: #c9372c;
}

.pp-Banner[data-status='warning'] {
  background: #fff8e6;
  border-color: #b98900;
}

.pp-Heading {
  font-size: 1.25rem;
  line-height: 1.3;
}

.pp-Image {
  background: #f4f5f6;
  block-size: auto;
  border-radius: 8px;
  display: block;
  inline-size: 100%;
}

.pp-BlockStack:has(> .pp-Image:nth-child(2)) {
  grid-template-columns: repeat(2, minmax(0, 1fr));
}

.pp[data-subdued] {
  color: #5c5f62;
}

.pp[data-emphasized] {
  font-weight: 600;
}

.pp[data-size='small'] {
  font-size: 0.9375rem;
}

.pp[data-size='large'] {
  font-size: 1.25rem;
}

.pp[data-appearance='success'] {
  color: #00684a;
}

.pp[data-appearance='critical'] {
  color: #b3261e;
}

.pp-deleted {
  color: #5c5f62;
  text-decoration: line-through;
}

.pp-Separator {
  border: 0;
  border-block-start: 1px solid #d9dcdf;
  inline-size: 100%;
}

.pp-Button {
  background: #1f4fbf;
  border: 1px solid #1f4fbf;
  border-radius: 8px;
  color: #fff;
  cursor: pointer;
  font: inherit;
  font-weight: 600;
  inline-size: 100%;
  min-block-size: 52px;
  padding: 10px 16px;
}

.pp-Button:hover:enabled {
  background: #173f9c;
}

.pp-Button:disabled {
  cursor: default;
  opacity: 0.65;
}

.pp-Button:focus-visible,
.pp-Link:focus-visible {
  outline: 3px solid #1f4fbf;
  outline-offset: 2px;
}

.pp-VisuallyHidden {
  block-size: 1px;
  clip-path: inset(50%);
  inline-size: 1px;
  overflow: hidden;
  position: absolute;
}

@media (max-width: 749px) {
  .pp-Layout {
    gap: 16px;
    grid-template-columns: minmax(0, 1fr);
    max-inline-size: 100% !important;
  }

  .pp-Layout > .pp-View:empty {
    display: none;
  }
}
`;var xe="Checkout::PostPurchase::ShouldRender",Ee="Checkout::PostPurchase::Render";async function Ze(){let e=window.__postPurchase;try{let t=await Ve(e),n=et(),{render:o}=await t[xe](Ce(e,n,xe));if(!o)return oe(e);await tt(t[Ee],e,n)}catch(t){console.error(t),oe(e)}}async function Ve({bundleUrl:e,appUrl:t}){let n={};return globalThis.__WELLPAIRED_APP_URL__=t,globalThis.shopify={extend:(o,r)=>n[o]=r,reload:()=>location.reload()},await new Promise((o,r)=>{let i=document.createElement("script");i.src=e,i.onload=o,i.onerror=()=>r(new Error(`could not load ${e}`)),document.head.append(i)}),n}function et(){let e;return{get initialData(){return e},update:async t=>{e=structuredClone(t)}}}function Ce({inputData:e},t,n){return{extensionPoint:n,inputData:{...e,extensionPoint:n},storage:t}}async function tt(e,t,n){let o=document.createElement("style");o.textContent=be,document.head.append(o);let r=te(),i=Q(r.receive,{components:[...ge]});he(ye(),r),await e(i,{...Ce(t,n,Ee),...nt(t),done:async()=>oe(t)}),await i.mount(),ye().setAttribute("aria-busy","false")}function ye(){let e=document.getElementById("post-purchase");if(e)return e;let t=document.createElement("main");return t.id="post-purchase",document.body.append(t),t}function nt({calculateUrl:e,applyUrl:t}){return{calculateChangeset:n=>Oe(e,typeof n=="string"?{token:n}:{changes:n.changes}),applyChangeset:(n,o)=>{if(typeof n!="string")throw new TypeError("applyChangeset takes a signed changeset");return Oe(t,{token:n,...o})}}}async function Oe(e,t){return(await fetch(e,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)})).json()}function oe({doneUrl:e}){location.assign(e)}Ze();})();
